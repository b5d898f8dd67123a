"""Which files of the application the doctor reads, and what it makes of them."""

from pathlib import Path

import pytest

from uwsgi_autopilot.doctor.configuration import Configuration, Use
from uwsgi_autopilot.doctor.modules import read_code

CONNECT = "import psycopg2\ndb = psycopg2.connect('x')\n"


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("options", "place"),
    [
        pytest.param([("module", "db:app")], "db.py:2", id="a module"),
        pytest.param([("wsgi-file", "db.py")], "db.py:2", id="a file"),
        pytest.param([("module", "wsgi:app")], "db.py:2", id="what it imports"),
        pytest.param([("module", "shop.wsgi")], "shop/db.py:2", id="a module called as a suffix is"),
        pytest.param([("mount", "/a=db:app")], "db.py:2", id="what is mounted"),
        pytest.param([("chdir", "shop"), ("module", "db")], "db.py:2", id="below chdir"),
        pytest.param(
            [("pythonpath", "shop/more"), ("module", "extra")], "shop/more/extra.py:2", id="in the python path"
        ),
    ],
)
def test_the_application_is_found(tmp_path: Path, options: list[tuple[str, str]], place: str) -> None:
    written(
        tmp_path, db=CONNECT, wsgi="from db import db\n", shop__wsgi="from .db import db\n", shop__db=CONNECT,
        shop__more__extra=CONNECT,
    )  # fmt: skip
    (tmp_path / "shop" / "__init__.py").touch()
    code = read_code(Configuration(options), str(tmp_path))
    assert code.connections == (Use(place=place, call="psycopg2.connect", at_import=True),)


def test_a_connection_of_a_function_is_none_of_the_import(tmp_path: Path) -> None:
    written(tmp_path, db="import psycopg2\ndef db():\n    return psycopg2.connect('x')\n")
    assert read_code(Configuration([("module", "db")]), str(tmp_path)).connections == ()


def test_a_client_with_threads_of_its_own_starts_them_at_the_import(tmp_path: Path) -> None:
    written(tmp_path, db="from pymongo import MongoClient\nclient = MongoClient()\n")
    threads = read_code(Configuration([("module", "db")]), str(tmp_path)).threads
    assert threads == (Use(place="db.py:2", call="pymongo.MongoClient", at_import=True),)


def test_circles_broken_files_and_missing_modules_are_no_problem(tmp_path: Path) -> None:
    written(tmp_path, wsgi="import b, broken, absent\n" + CONNECT, b="import wsgi\n", broken="def (\n")
    assert len(read_code(Configuration([("module", "wsgi")]), str(tmp_path)).connections) == 1
