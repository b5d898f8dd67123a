"""Two lines of a person's ini change, and nothing else does."""

from pathlib import Path

import pytest

from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.local.inifile import with_shape, write_shape

SHAPE = Shape(3, 16)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "; mine\n[uwsgi]\nprocesses = 2\n# why\nthreads=4\nmodule = a\n",
            "; mine\n[uwsgi]\nprocesses = 3\n# why\nthreads=16\nmodule = a\n",
            id="in place, with comments",
        ),
        pytest.param(
            "[uwsgi]\nworkers = 2 ; two\n", "[uwsgi]\nthreads = 16\nworkers = 3 ; two\n", id="by its other name"
        ),
        pytest.param("[uwsgi]", "[uwsgi]\nprocesses = 3\nthreads = 16\n", id="where there was none"),
        pytest.param(
            "[uwsgi]\nprocesses = 1\nprocesses = %k\n",
            "[uwsgi]\nthreads = 16\nprocesses = 1\nprocesses = 3\n",
            id="the last one counts",
        ),
        pytest.param(
            "[other]\nprocesses = 9\n[uwsgi]\nprocesses = 1\nthreads = 1\n[more]\nthreads = 9\n",
            "[other]\nprocesses = 9\n[uwsgi]\nprocesses = 3\nthreads = 16\n[more]\nthreads = 9\n",
            id="of other sections nothing",
        ),
    ],
)
def test_the_two_lines(before: str, after: str) -> None:
    assert with_shape(before, SHAPE) == after


def test_the_old_file_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "app.ini"
    path.write_text("[uwsgi]\nprocesses = 1\nthreads = 1\n")
    path.chmod(0o640)
    assert write_shape(path, SHAPE) == f"{path} has 3 processes of 16 threads now; before: {path}.bak"
    assert (tmp_path / "app.ini.bak").read_text() == "[uwsgi]\nprocesses = 1\nthreads = 1\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert write_shape(path, SHAPE) == f"{path} has 3 processes of 16 threads already"


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    path = tmp_path / "app.ini"
    path.write_text("processes = 1\n")
    said = write_shape(path, SHAPE)
    assert said == (
        f"{path} was not changed: it has no section [uwsgi]. The two lines would be: processes = 3, threads = 16"
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["app.ini"]
