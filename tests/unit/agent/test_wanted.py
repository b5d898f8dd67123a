"""What a container that begins anew does with the wishes that it finds."""

from pathlib import Path

import pytest

from uwsgi_autopilot.agent.wanted import WishFile
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.wish import Wish

PROMOTED = Wish(seq=3, shape=Shape(2, 4)).to_text()
TRIAL = Wish(seq=4, shape=Shape(8, 32), uid="u", trial_seconds=90.0).to_text()
NEWER_TRIAL = Wish(seq=5, shape=Shape(4, 32), uid="u", trial_seconds=90.0).to_text()
NEWER = Wish(seq=4, shape=Shape(3, 5)).to_text()


def file_of(folder: Path) -> WishFile:
    (folder / "promoted").write_text(PROMOTED)
    config = AgentConfig(
        name="shop", uwsgi=("uwsgi",), module="wsgi:app", chdir="/", socket="/s", private="/p", start=Shape(1, 1),
        wanted=str(folder / "wanted"), promoted=str(folder / "promoted"), listen=("unix:/l",), uid="u",
    )  # fmt: skip
    return WishFile(config)


@pytest.mark.parametrize(
    ("found", "later", "start", "then"),
    [
        pytest.param(None, None, Shape(2, 4), None, id="no wish: the promoted shape"),
        pytest.param("", None, Shape(2, 4), None, id="the kubelet's empty file"),
        pytest.param(NEWER, None, Shape(3, 5), None, id="a newer wish for good is the start"),
        pytest.param(TRIAL, None, Shape(2, 4), None, id="a trial is not begun again"),
        pytest.param(TRIAL, NEWER_TRIAL, Shape(2, 4), Shape(4, 32), id="but the next one is"),
        pytest.param(None, TRIAL, Shape(2, 4), Shape(8, 32), id="a trial that comes later"),
        pytest.param("", NEWER, Shape(2, 4), Shape(3, 5), id="a wish that comes later"),
    ],
)
def test_a_start(tmp_path, found, later, start, then):
    if found is not None:
        (tmp_path / "wanted").write_text(found)
    wishes = file_of(tmp_path)
    assert wishes.read_promoted().shape == start
    if later is not None:
        (tmp_path / "new").write_text(later)
        (tmp_path / "new").replace(tmp_path / "wanted")
    assert wishes.poll(1.0, start) == then
    assert wishes.refused is None


def test_a_wish_that_is_none_at_the_start_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "wanted").write_text("{half")
    wishes = file_of(tmp_path)
    assert wishes.read_promoted().shape == Shape(2, 4)
    assert wishes.poll(1.0, Shape(2, 4)) is None
    assert wishes.refused is not None
