"""The application prints what it likes and nobody may be reading: it keeps serving, and so does the agent."""

import os

import pytest

from tests.component.agent.bare import bare_agent
from tests.component.conftest import wait_until
from uwsgi_autopilot.agent.uwsgiserver import UwsgiServer
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape

pytestmark = pytest.mark.component


@pytest.fixture
def unread():
    """A pipe that nobody reads: (what would read it, what is written to)."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("what", ["line", "endless", "bytes"])
def test_nobody_reads_and_requests_are_answered_and_changes_are_made(what, short_directory, uwsgi_programs, unread):
    """20 MiB: a pipe holds 64 KiB, and the agent's buffer one MiB."""
    _, blocked = unread
    with bare_agent(short_directory, uwsgi_programs[0].path, to=blocked) as agent:
        agent.until("it is ready", ready=True)
        assert agent.get(f"/?print=20&what={what}") == 200
        agent.desire(1, Shape(1, 3))
        agent.until("the change is made", shape={"processes": 1, "threads": 3}, change=None)
        assert agent.get("/?print=20&what=endless") == 200
        agent.desire(2, Shape(2, 3))
        agent.until("the next one too", shape={"processes": 2, "threads": 3}, change=None)
    assert agent.process.returncode == 0


def test_a_failure_is_explained_behind_output_without_a_line(short_directory, uwsgi_programs, unread):
    """The traceback is in the state though nothing of it could be written."""
    _, blocked = unread
    with bare_agent(short_directory, uwsgi_programs[0].path, to=blocked) as agent:
        agent.until("it is ready", ready=True)
        (short_directory / "bad-import").write_text("x" * 20_000_000)
        agent.desire(1, Shape(1, 3))
        refused = agent.until("it is refused", refused=bool)["refused"]
        assert refused["reason"] == "StartFailed"
        assert "RuntimeError: xxx" in refused["message"]
        assert len(refused["message"].encode()) <= 4000
        assert agent.get("/") == 200


def test_what_a_program_prints_that_left_its_group_is_not_waited_for(short_directory, uwsgi_programs):
    """It keeps the pipe open after the master's end, as a daemon that the application started does."""
    pid = short_directory / "daemon"
    command = f"setsid sh -c 'echo $$ > {pid}; exec sleep 60' & until test -s {pid}; do sleep 0.05; done; exit 3"
    options = (("exec-pre-app", command),)
    with bare_agent(short_directory, uwsgi_programs[0].path, options=options) as agent:
        try:
            assert agent.process.wait(30) == 1
        finally:
            os.kill(int(pid.read_text()), 9)
    assert "before it accepted requests" in (short_directory / "termination-log").read_text()


def test_the_end_of_the_output_is_asked_for_and_not_waited_for(short_directory):
    """What left the group holds the pipe: the main loop asks again, and takes what there is when the time is up."""
    pid = short_directory / "daemon"
    script = f"setsid sh -c 'echo $$ > {pid}; exec sleep 60' & echo ValueError: no; exit 3"
    config = AgentConfig(
        name="test", uwsgi=("/bin/sh", "-c", script), module="app:app", chdir="/", socket="/s", listen=(),
        private=str(short_directory), desired="/w", start=Shape(1, 2),
    )  # fmt: skip
    instance = UwsgiServer(config, []).start(1, Shape(1, 2))
    wait_until(lambda: not instance.alive() and pid.exists() and bool(pid.read_text()), "it has ended, its daemon runs")
    try:
        assert instance.last_output() is None
        wait_until(lambda: instance.last_output() is not None, "it is not waited for any longer")
        assert instance.last_output() == "ValueError: no"
    finally:
        os.kill(int(pid.read_text()), 9)
        instance.close()
