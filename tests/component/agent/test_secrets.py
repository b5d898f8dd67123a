"""A module that raises with secrets in its message: the agent repeats the failure everywhere, and the secrets nowhere.

What the application printed itself is passed on unchanged: that is its own log.
"""

import json

import pytest

from tests.component.agent.bare import bare_agent
from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component

MESSAGE = (
    "cannot connect to postgres://app:hunter3@db/shop: "
    "{'api_key': 'hunter4', \"Cookie\": \"sid=hunter5; b=hunter6\"} token=hunter7 Bearer hunter8 "
    "AKIAIOSFODNN7HUNTER9 eyJhbGciOiJIUzI1NiJ9.hunter10.hunter11 --password hunter12 "
    "-----BEGIN PRIVATE KEY-----\\nhunter13\\n-----END PRIVATE KEY----- end"
)


def hidden(*told: str) -> None:
    """The failure is there, and no secret is: neither of the message nor of the frame's own line."""
    for each in told:
        assert "RuntimeError: cannot connect to postgres://app:***@db/shop" in each
        assert 'password="***"' in each
        assert "hunter" not in each.lower()


def test_they_are_in_no_termination_message_and_no_line_of_the_agent(short_directory, uwsgi_programs):
    (short_directory / "bad-import").write_text(MESSAGE)
    with bare_agent(short_directory, uwsgi_programs[0].path) as agent:
        assert agent.process.wait(40) == 1
    hidden((short_directory / "termination-log").read_text())
    assert "RuntimeError: cannot connect to postgres://app:***@db/shop" in agent.err
    assert "hunter" not in agent.err.lower()
    assert f"RuntimeError: {MESSAGE}" in agent.out, "the application's own log"


def test_they_are_not_in_the_state(short_directory, uwsgi_programs):
    with bare_agent(short_directory, uwsgi_programs[0].path) as agent:
        agent.until("it is ready", ready=True)
        (short_directory / "bad-import").write_text(MESSAGE)
        agent.desire(1, Shape(1, 3))
        state = agent.until("it is refused", refused=bool)
    told = json.dumps(state)
    assert "hunter" not in told.lower()
    hidden(state["refused"]["message"], agent.err)


def test_nor_is_the_one_in_the_path_of_the_health_check(short_directory, uwsgi_programs):
    path = "/?status=500&token=hunter2"
    with bare_agent(short_directory, uwsgi_programs[0].path, health_path=path) as agent:
        why = agent.until("it says why", why=lambda why: "500" in why)["why"]
    assert "/?status=500&token=***" in why


def test_nor_in_what_is_said_of_the_file(short_directory, uwsgi_programs):
    with bare_agent(short_directory, uwsgi_programs[0].path) as agent:
        agent.until("it is ready", ready=True)
        text = '{"epoch": 1, "seq": 1, "processes": "password=hunter2", "threads": 1}'
        agent.write(text)
        message = agent.until("it is refused", refused=bool)["refused"]["message"]
    assert "processes" in message
    assert "hunter2" not in message
