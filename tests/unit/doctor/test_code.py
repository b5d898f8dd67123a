"""What the doctor sees in a module's source without importing it."""

import pytest

from uwsgi_autopilot.doctor.code import read_source


def seen(text: str) -> list[tuple[str, bool, bool]]:
    """(call, at the import, used then)"""
    return [(call.name, call.at_import, call.used) for call in read_source(text, "shop").calls]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "import psycopg2\ndb = psycopg2.connect('x')\n",
            [("psycopg2.connect", True, False)],
            id="a connection that is opened while the module is loaded",
        ),
        pytest.param(
            "import psycopg2\ndef db():\n    return psycopg2.connect('x')\n",
            [("psycopg2.connect", False, False)],
            id="one that a function opens is opened later",
        ),
        pytest.param(
            "from psycopg2 import connect as c\nwith c('x') as db: pass\n",
            [("psycopg2.connect", True, False)],
            id="by another name, in a with statement",
        ),
        pytest.param(
            "import psycopg2\nclass Shop:\n    db = psycopg2.connect('x')\n",
            [("psycopg2.connect", True, False)],
            id="the body of a class is executed at the import",
        ),
        pytest.param(
            "import psycopg2\nif __name__ == '__main__':\n    psycopg2.connect('x')\n",
            [("psycopg2.connect", False, False)],
            id="what only a script does is no part of the import",
        ),
        pytest.param(
            "from sqlalchemy import create_engine\nengine = create_engine('x')\n",
            [("sqlalchemy.create_engine", True, False)],
            id="an engine connects when it is used",
        ),
        pytest.param(
            "import sqlalchemy as sa\nengine: object = sa.create_engine('x')\nBase.metadata.create_all(bind=engine)\n",
            [("sqlalchemy.create_engine", True, True)],
            id="and is used by creating tables",
        ),
        pytest.param(
            "from flask_sqlalchemy import SQLAlchemy as S\ndb = S(app)\nwith app.app_context():\n    db.create_all()\n",
            [("flask_sqlalchemy.SQLAlchemy", True, True)],
            id="of an extension, too",
        ),
        pytest.param(
            "import threading\nthreading.Thread(target=f).start()\n",
            [("threading.Thread", True, True)],
            id="a thread that is started at once",
        ),
        pytest.param(
            "from threading import Thread\nt = Thread(target=f)\ndef go():\n    t.start()\n",
            [("threading.Thread", True, False)],
            id="a thread that a function starts",
        ),
        pytest.param(
            "from apscheduler.schedulers.background import BackgroundScheduler\ns = BackgroundScheduler()\ns.start()\n",
            [("apscheduler.schedulers.background.BackgroundScheduler", True, True)],
            id="a scheduler",
        ),
        pytest.param("psycopg2.connect('x')\n", [], id="a name that nothing imports stands for nothing known"),
    ],
)
def test_calls(text: str, expected: list[tuple[str, bool, bool]]) -> None:
    assert seen(text) == expected


def test_imports_are_absolute_and_only_those_of_the_import_itself() -> None:
    source = read_source("import a.b\nfrom . import db\nfrom ..x import y\ndef f():\n    import later\n", "shop.web")
    assert source.imports == ("a.b", "shop.web", "shop.web.db", "shop.x", "shop.x.y")


def test_options_that_the_application_reads_itself() -> None:
    source = read_source("import uwsgi\na = uwsgi.opt['colour']\ndef f():\n    return uwsgi.opt.get(b'size')\n", "")
    assert source.options == {"colour", "size"}
