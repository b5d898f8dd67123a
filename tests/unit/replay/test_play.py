"""A replay decides what was decided while it was recorded; where it does not, it says so and ends."""

import json
from dataclasses import replace

import pytest

from tests.simulator import workload
from tests.unit.replay.making import Session, fly, replayed
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode, ResourceLimits
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.replay.play import play
from uwsgi_autopilot.replay.reading import recording
from uwsgi_autopilot.replay.text import lines_of


def becomes(load):
    return lambda session: session.agent.machine.set_workload(load)


def is_away(session: Session) -> None:
    session.agent.silent = True


def is_back(session: Session) -> None:
    session.agent.silent = False


def another_agent(session: Session) -> None:
    """It was killed: the new one has another pid and counts its samples from 1."""
    agent, answer = session.agent, session.agent.answer
    agent.samples.clear()
    agent.observer.seq = 0
    agent.answer = lambda now, since: answer(now, since) | {"pid": 2}


def disk(full: bool):
    return lambda session: setattr(session, "full", full)


@pytest.mark.parametrize(
    ("flight", "kinds"),
    [
        pytest.param({}, {Kind.TRY, Kind.PROMOTE}, id="a search"),
        pytest.param(
            {"load": workload.IO, "seconds": 90, "events": {41: becomes(workload.CPU)}}, {Kind.TRY, Kind.PROMOTE},
            id="the workload changes",
        ),
        pytest.param({"mode": Mode.RECOMMEND}, {Kind.RECOMMEND}, id="it only recommends"),
        pytest.param({"mode": Mode.DISABLED}, set(), id="it only watches"),
        pytest.param({"pin": Shape(3, 5)}, {Kind.CHANGE}, id="a pin that is not what serves"),
        pytest.param({"max_connections": 10}, {Kind.REFUSE}, id="a limit of connections"),
        pytest.param({"limits": ResourceLimits(cpu=0.5, memory=400 << 20)}, {Kind.TRY}, id="limits of the manifest"),
        pytest.param({"events": {12: is_away, 33: is_back}}, {Kind.TRY}, id="the agent is silent in a trial"),
        pytest.param({"events": {25: another_agent}}, {Kind.TRY}, id="another agent takes over"),
        pytest.param({"events": {1: disk(True), 30: disk(False)}}, {Kind.REFUSE, Kind.TRY}, id="the disk is full"),
    ],
)  # fmt: skip
def test_the_same_samples_lead_to_the_same_decisions(tmp_path, flight, kinds):
    flown = fly(tmp_path / "a.jsonl", **flight)
    steps = replayed(tmp_path / "a.jsonl")
    assert {each.kind for found in flown.entries for each in found} >= kinds, "the flight is not what its name says"
    # In a second without an answer nothing is planned and nothing recorded.
    assert [list(each.decided) for each in steps if each.decided] == [found for found in flown.entries if found]
    assert [each.word for each in steps] == words_of_plans(flown, flight)
    assert not any(each.parts for each in steps)


def test_a_name_that_ends_in_gz_makes_a_compressed_recording(tmp_path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    for path in (plain, packed):
        fly(path, 15)
    assert packed.stat().st_size < plain.stat().st_size / 3
    assert replayed(packed) == replayed(plain)


def words_of_plans(flown, flight):
    away = range(12, 33) if is_away in flight.get("events", {}).values() else ()
    return [word for second, word in enumerate(flown.words, start=1) if second not in away]


def test_a_law_that_changes_something_else_is_told_from_where_on_it_cannot_be_judged(tmp_path):
    """The manifest allows fewer threads than then: the first change is another, and nothing after it is said."""
    fly(tmp_path / "a.jsonl")
    with recording(tmp_path / "a.jsonl") as found:
        app = found.header.app
        narrower = replace(app, tuning=replace(app.tuning, threads=Bounds(min=1, max=4)))
        steps = list(play(narrower, found))
    recorded = replayed(tmp_path / "a.jsonl")
    first = next(number for number, each in enumerate(recorded) if each.decided)
    assert len(steps) == first + 1 < len(recorded)
    (law,), (then,) = steps[-1].decided, steps[-1].recorded
    assert law.to_shape.threads <= 4 < then.to_shape.threads
    assert list(lines_of(steps))[-1] == (
        f"from {law.at:.1f} s the law would have tried {law.to_shape}, where the recorded law had tried "
        f"{then.to_shape} ({then.reason}); what follows was recorded at {then.to_shape} and cannot judge it"
    )


def edited(path, line, change):
    """`change` is given the JSON of that line."""
    texts = path.read_text().splitlines()
    data = json.loads(texts[line])
    change(data)
    path.write_text("\n".join([*texts[:line], json.dumps(data), *texts[line + 1 :]]) + "\n")


def first_decided(path):
    return next(number for number, text in enumerate(path.read_text().splitlines()) if '"decided"' in text)


def test_a_change_that_was_not_recorded_ends_the_replay(tmp_path):
    path = tmp_path / "a.jsonl"
    fly(path)
    edited(path, first_decided(path), lambda data: [data.pop("decided"), data.pop("wrote")])
    (*before, last) = replayed(path)
    assert not any(each.parts for each in before)
    assert last.parts
    assert list(lines_of([*before, last]))[-1] == (
        f"from {last.at:.1f} s the law would have tried {last.decided[0].to_shape}; what follows was recorded at 2x4 "
        "and cannot judge it"
    )


def test_a_recorded_change_that_the_law_does_not_make_ends_the_replay(tmp_path):
    path = tmp_path / "a.jsonl"
    fly(path, mode=Mode.DISABLED)
    tried = {"at_s": 4.0, "kind": "try", "from": {"processes": 2, "threads": 4}, "to": {"processes": 3, "threads": 9}}
    edited(path, 5, lambda data: data.update(decided=[tried | {"reason": "FirstJump", "message": ""}]))
    steps = replayed(path)
    assert len(steps) == 5
    assert list(lines_of(steps))[-1] == (
        "at 4.0 s the recorded law had tried 3x9 (FirstJump); this one would not have: Disabled: spec.tuning.mode is "
        "Disabled; what follows was recorded at 3x9 and cannot judge it"
    )


@pytest.mark.parametrize(
    ("law", "sentence"),
    [
        pytest.param(True, "the law would have asked the agent for {shape}", id="the law asks once more"),
        pytest.param(False, "the law would have asked for nothing", id="the recorded law asked once more"),
    ],
)
def test_what_is_asked_of_the_agent_without_a_decision_counts_too(tmp_path, law, sentence):
    """The agent does not see what is written for it, so it is written again, under the same decision."""
    path = tmp_path / "a.jsonl"
    fly(path, 40, events={1: lambda session: setattr(session.agent, "deaf", True)})
    texts = path.read_text().splitlines()
    again = next(number for number, text in enumerate(texts) if '"wrote"' in text and '"decided"' not in text)
    (wrote,) = json.loads(texts[again])["wrote"]
    line = again if law else again - 1
    edited(path, line, lambda data: data.pop("wrote") if law else data.update(wrote=[wrote]))
    steps = replayed(path)
    assert len(steps) == line
    assert sentence.format(shape=Shape.from_json(wrote)) in list(lines_of(steps))[-1]


def test_another_word_that_leaves_what_serves_alone_does_not_end_it(tmp_path):
    path = tmp_path / "a.jsonl"
    fly(path, mode=Mode.RECOMMEND)
    line = first_decided(path)
    edited(path, line, lambda data: data["decided"][0]["to"].update(threads=63))
    steps = replayed(path)
    assert len(steps) == 60
    said = list(lines_of(steps))
    told = next(number for number, each in enumerate(said) if "would change" in each)
    assert said[told + 1].startswith("          recorded: ")
    assert "x63" in said[told + 1]
    assert "every change as recorded" in said[-1]
