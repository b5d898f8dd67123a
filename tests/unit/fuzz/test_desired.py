"""The files with the desired and the promoted shape: what cannot be used is refused, and what serves keeps serving."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.agent.making import config
from tests.unit.fuzz.mutations import A_TENTH, ANYTHING, changes, mutated, to_json, with_change
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.desired import DesiredShape, InvalidDesiredShape, Version, parse_desired
from uwsgi_autopilot.api.shape import Shape

GOOD = DesiredShape(version=Version(2, 7), shape=Shape(3, 5), uid="u", trial_seconds=90.0)
DATA = GOOD.to_json()
TEXTS = (
    mutated(GOOD.to_text().encode())
    | changes(DATA).map(lambda each: to_json(with_change(DATA, *each)))
    | ANYTHING.map(to_json)
    | st.binary(max_size=5000)
)


@given(TEXTS)
def test_a_text_is_a_shape_or_one_sentence(text):
    try:
        found = parse_desired(text.decode("utf-8", errors="replace"))
    except InvalidDesiredShape as error:
        sentence = str(error)
        assert sentence.count("\n") == 0, sentence
        return
    assert found.shape.slots >= 1
    assert found.trial_seconds is None or (math.isfinite(found.trial_seconds) and 0 < found.trial_seconds <= 86400)
    assert parse_desired(found.to_text()) == found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("d")


def put(path: Path, text: bytes) -> None:
    path.with_suffix(".new").write_bytes(text)
    path.with_suffix(".new").replace(path)


@A_TENTH
@given(promoted=TEXTS, first=TEXTS, then=st.lists(TEXTS, max_size=3))
def test_whatever_lies_there_the_agent_follows_what_it_can_serve(folder, promoted, first, then):
    settings = config(folder, start=Shape(2, 4), max_processes=8, max_threads=16)
    put(folder / "promoted", promoted)
    put(folder / "desired", first)
    follower = Follower(settings)
    for second, text in enumerate([first, *then]):
        put(folder / "desired", text)
        before = follower.target
        follower.poll(float(second))
        target = follower.target
        assert 1 <= target.processes <= 8
        assert 1 <= target.threads <= 16
        try:
            wanted = parse_desired(text.decode("utf-8", errors="replace"))
        except InvalidDesiredShape:
            assert target == before
            assert follower.following.refused is not None or not text
        else:
            assert target in (before, wanted.shape)
    following = follower.following
    state = AgentState(
        agent="1", app="shop", uid="u", pid=1, now=1.0, target=following.target,
        accepted=following.accepted.version, refused=following.refused,
    )  # fmt: skip
    json.dumps(state.to_json()).encode()
    if following.refused is not None:
        following.refused.message.encode()
