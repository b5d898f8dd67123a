"""What the operator reads of an agent, which is whatever a pod cares to answer: figures in bounds, or a sentence.

The answer is the first one of a recording.
"""

import json
import math
from dataclasses import fields
from pathlib import Path

from hypothesis import given

from tests.unit.fuzz.mutations import ANYTHING, changes, mutated, to_json, with_change
from uwsgi_autopilot.api.agentreader import WrongPod, parse_samples, parse_state
from uwsgi_autopilot.api.sample import Sample
from uwsgi_autopilot.tuner.load import load_of

RECORDED = Path(__file__).parents[2] / "recordings" / "mixed-from-1x2.jsonl"


def recorded() -> dict:
    """The first answer, with its samples as the agent sends them."""
    lines = map(json.loads, RECORDED.read_text(encoding="utf-8").splitlines()[1:])
    first = next(each for each in lines if each["samples"])
    return {**first["state"], "samples": first["samples"]}


STATE = recorded()


def read(data) -> None:
    for parse in (lambda: parse_state(data, uid=STATE["uid"]), lambda: parse_samples(data, after=-1)):
        try:
            found = parse()
        except (ValueError, WrongPod) as error:
            sentence = str(error)
            assert len(sentence.encode()) < 1000
            assert sentence.isprintable()
            continue
        if isinstance(found, list):
            for sample in found:
                numbers = [getattr(sample, each.name) for each in fields(Sample)]
                assert all(math.isfinite(each) for each in numbers if isinstance(each, int | float))
            load_of(found)
        else:
            json.dumps(found.to_json()).encode()


@given(changes(STATE))
def test_one_field_of_another_kind(change):
    read(json.loads(to_json(with_change(STATE, *change))))


@given(mutated(json.dumps(STATE).encode()))
def test_bytes_of_another_kind(raw):
    try:
        data = json.loads(raw.decode("utf-8", errors="replace"))
    except ValueError:
        return
    read(data)


@given(ANYTHING)
def test_anything(data):
    read(data)
