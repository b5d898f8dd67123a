"""The agent's state, as it is read back: whole, or what of it can be trusted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.controller.making import sample
from uwsgi_autopilot.api.agentreader import MAX_MESSAGE, parse_samples, parse_state
from uwsgi_autopilot.api.agentstate import STATE_VERSION, AgentState, ChangeProgress, Counts, Recycled, Refused
from uwsgi_autopilot.api.desired import Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason

REFUSED = Refused(reason=RefusalReason.START_FAILED, message="no", at=5.0, version=Version(1, 2), shape=Shape(4, 4))
STATE = AgentState(
    agent="1", app="shop", uid="u", pid=7, now=5.0, target=Shape(2, 2), serving=True, ready=True,
    why="requests are answered", failing=2, shape=Shape(1, 2), parked=1, parking="1 of 2 workers is put away",
    accepted=Version(1, 3), on_trial=True,
    change=ChangeProgress(kind="resize", to=Shape(2, 2), seconds=0.5), refused=REFUSED,
    recycled=Recycled(message="486 of 512 MiB are in use", at=4.0), generation=3, ceiling=16,
    uwsgi="2.0.31",
    counts=Counts(swaps=1, resizes=2, refused=3, restarts=4, failed_starts=5, recycles=6), requests_total=6.0,
)  # fmt: skip


# As an agent wrote it when this version of the state began.
FIRST = json.loads(Path(__file__).with_name(f"state-{STATE_VERSION}.json").read_text(encoding="utf-8"))


def fields_of(data: Any, path: str = "") -> Iterator[str]:
    for name, value in data.items() if isinstance(data, dict) else ():
        yield f"{path}{name}"
        yield from fields_of(value, f"{path}{name}.")


def test_the_state_of_the_first_agent_of_this_version_is_understood():
    assert parse_state(FIRST, uid="u").counts == Counts()
    assert len(parse_samples(FIRST, after=0)) == 1


def test_an_operator_of_that_time_finds_every_field_that_it_asks_for():
    """A field may be added, or what may be absent; what is taken away needs another STATE_VERSION."""
    now = {**STATE.to_json(), "samples": [sample()]}
    assert set(fields_of(FIRST)) - set(fields_of(now)) == set()
    assert set(FIRST["samples"][0]) - set(sample()) == set()


def test_what_is_written_is_what_is_read():
    assert parse_state(STATE.to_json(), uid="u") == STATE


def test_an_agent_from_before_the_memory_guard_and_parking_is_understood():
    data = STATE.to_json()
    del data["recycled"], data["counts"]["recycles"], data["parked"], data["parking"]
    found = parse_state(data, uid="u")
    assert (found.recycled, found.counts.recycles, found.counts.swaps) == (None, 0, 1)
    assert (found.parked, found.parking) == (0, None)


def test_an_absurd_shape_that_was_refused_is_left_out_and_the_rest_is_read():
    data = STATE.to_json()
    data["refused"]["shape"] = {"processes": 10**9, "threads": 2}
    found = parse_state(data, uid="u")
    assert found.refused.shape is None
    assert found.refused.version == Version(1, 2)


def test_of_a_long_message_both_ends_are_kept():
    """It begins with what happened and ends with the last line of a traceback."""
    data = STATE.to_json()
    data["refused"]["message"] = "the new generation ended: " + "File x, line 1\n" * 1000 + "RuntimeError: SECRET_KEY"
    message = parse_state(data, uid="u").refused.message
    assert message.startswith("the new generation ended: ")
    assert message.endswith("RuntimeError: SECRET_KEY")
    assert len(message.encode()) <= MAX_MESSAGE
    assert "\n" not in message


@pytest.mark.parametrize("where", ["target", "accepted"])
def test_what_a_pod_puts_in_place_of_a_number_is_repeated_only_in_part(where):
    data = STATE.to_json()
    name = {"target": "processes", "accepted": "seq"}[where]
    data[where] = {**data[where], name: "password=hunter2 " + "x" * 100_000}
    with pytest.raises(ValueError, match=name) as caught:
        parse_state(data, uid="u")
    assert len(str(caught.value).encode()) <= MAX_MESSAGE
    assert "hunter2" not in str(caught.value)


def test_nor_is_what_it_puts_into_a_sample():
    data = {"samples": [{"seq": 1, "shape": {"processes": "x" * 100_000, "threads": 1}}]}
    with pytest.raises(ValueError, match="processes") as caught:
        parse_samples(data, after=-1)
    assert len(str(caught.value).encode()) <= MAX_MESSAGE
