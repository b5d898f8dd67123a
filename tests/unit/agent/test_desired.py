"""What a container that starts does with the files that it finds, and what is known of one that cannot be used."""

import json
from pathlib import Path

import pytest

from tests.unit.agent.making import config
from uwsgi_autopilot.agent.desired import DesiredFile, Unusable
from uwsgi_autopilot.agent.follower import Follower
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.report.reasons import RefusalReason


def text(seq: int, shape: Shape, trial: float | None = None, *, epoch: int = 1, uid: str = "*") -> str:
    return DesiredShape(version=Version(epoch, seq), shape=shape, trial_seconds=trial, uid=uid).to_text()


PROMOTED = text(3, Shape(2, 4))
TRIAL = text(4, Shape(8, 32), 90.0, uid="u")
NEWER_TRIAL = text(5, Shape(4, 32), 90.0, uid="u")
NEWER = text(4, Shape(3, 5))


def write(path: Path, content: str) -> None:
    path.with_suffix(".new").write_text(content)
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    ("found", "later", "start", "then"),
    [
        pytest.param(None, None, Shape(2, 4), Shape(2, 4), id="no file: the promoted shape"),
        pytest.param("", None, Shape(2, 4), Shape(2, 4), id="the kubelet's empty file"),
        pytest.param(NEWER, None, Shape(3, 5), Shape(3, 5), id="a newer one for good is the start"),
        pytest.param(text(9, Shape(3, 5), epoch=0), None, Shape(2, 4), Shape(2, 4), id="not of an earlier epoch"),
        pytest.param(TRIAL, None, Shape(2, 4), Shape(2, 4), id="a trial is not begun again"),
        pytest.param(TRIAL, NEWER_TRIAL, Shape(2, 4), Shape(4, 32), id="but the next one is"),
        pytest.param(None, TRIAL, Shape(2, 4), Shape(8, 32), id="a trial that comes later"),
        pytest.param("", NEWER, Shape(2, 4), Shape(3, 5), id="one that comes later"),
        pytest.param(text(4, Shape(3, 5), uid="v"), None, Shape(2, 4), Shape(2, 4), id="of another pod"),
        pytest.param(text(4, Shape(3, 5000)), None, Shape(2, 4), Shape(2, 4), id="out of bounds"),
    ],
)
def test_a_start(tmp_path, found, later, start, then):
    write(tmp_path / "promoted", PROMOTED)
    if found is not None:
        write(tmp_path / "desired", found)
    follower = Follower(config(tmp_path))
    assert follower.target == start
    if later is not None:
        write(tmp_path / "desired", later)
    follower.poll(1.0)
    assert follower.target == then


def test_without_any_file_it_starts_from_its_configuration_and_an_empty_one_is_no_refusal(tmp_path):
    """The kubelet writes an empty file for a pod without the annotation."""
    (tmp_path / "desired").touch()
    follower = Follower(config(tmp_path, start=Shape(1, 2)))
    follower.poll(1.0)
    assert (follower.target, follower.following.refused) == (Shape(1, 2), None)
    write(tmp_path / "desired", NEWER)
    follower.poll(2.0)
    assert follower.target == Shape(3, 5)
    write(tmp_path / "desired", "")
    follower.poll(3.0)
    assert follower.following.refused.reason is RefusalReason.INVALID_SHAPE, "one that becomes empty is"


def test_one_that_cannot_be_used_at_the_start_is_refused_with_a_sentence(tmp_path):
    write(tmp_path / "promoted", PROMOTED)
    write(tmp_path / "desired", "{half")
    follower = Follower(config(tmp_path))
    follower.poll(1.0)
    assert follower.target == Shape(2, 4)
    assert "not JSON" in follower.following.refused.message
    assert follower.refusals == 1
    follower.poll(2.0)
    assert follower.refusals == 1, "once"


GOOD = {"epoch": 1, "seq": 4, "processes": 2, "threads": 3}


@pytest.mark.parametrize(
    ("content", "version", "shape"),
    [
        pytest.param("{half", None, None, id="half written"),
        pytest.param(json.dumps(GOOD | {"threads": 0}), Version(1, 4), None, id="no such shape"),
        pytest.param(json.dumps(GOOD | {"seq": "x"}), None, Shape(2, 3), id="no version"),
        pytest.param(json.dumps(GOOD | {"uid": 7}), Version(1, 4), Shape(2, 3), id="a pod that is no text"),
        pytest.param(json.dumps(GOOD | {"trialSeconds": -1}), Version(1, 4), Shape(2, 3), id="a trial of no time"),
        pytest.param(json.dumps(GOOD | {"inPlace": "no"}), Version(1, 4), Shape(2, 3), id="in place, in a word"),
    ],
)
def test_what_is_refused_carries_what_its_text_says(tmp_path, content, version, shape):
    write(tmp_path / "desired", content)
    found = DesiredFile(config(tmp_path)).poll()
    assert isinstance(found, Unusable)
    assert (found.reason, found.version, found.shape) == (RefusalReason.INVALID_SHAPE, version, shape)


def test_a_file_that_cannot_be_read_is_said_once(tmp_path):
    (tmp_path / "desired").mkdir()
    file = DesiredFile(config(tmp_path))
    assert file.poll().reason is RefusalReason.UNREADABLE
    assert file.poll() is None
