"""Which names in a module look like applications; nothing is imported for it."""

from pathlib import Path

import pytest

from uwsgi_autopilot.uwsgi.loading import callables, names_a_file, no_callable


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("app = 1\n", ["app"], id="a usual name"),
        pytest.param("import flask\nsite = flask.Flask(__name__)\n", ["site"], id="made by a framework"),
        pytest.param("import django.core.wsgi as d\nw = d.get_wsgi_application()\n", ["w"], id="Django"),
        pytest.param("def create_app(): ...\n", ["create_app()"], id="a factory"),
        pytest.param("def create_app(name, *, debug): ...\n", [], id="one that needs arguments"),
        pytest.param("def create_app(): ...\napp = create_app()\n", ["app", "create_app()"], id="applications first"),
        pytest.param("def application(environ, start): ...\n", ["application"], id="a function"),
        pytest.param("from .core import app\n", ["app"], id="imported"),
        pytest.param("import os\nx = os.getcwd()\n", [], id="none"),
        pytest.param("def (\n", [], id="no Python"),
        pytest.param("".join(f"a{n} = Flask(__name__)\n" for n in range(9)), [f"a{n}" for n in range(5)], id="five"),
    ],
)
def test_callables(tmp_path: Path, source: str, found: list[str]) -> None:
    path = tmp_path / "web.py"
    path.write_text(source)
    assert callables(str(path)) == found


def test_a_star_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("from .core import *\n")
    (tmp_path / "core.py").write_text("from . import *\nfrom .core import *\napp = Flask(__name__)\n")
    assert callables(str(tmp_path / "__init__.py")) == ["app"]


def test_a_module_of_the_virtual_environment_is_found(tmp_path: Path) -> None:
    package = tmp_path / "venv" / "lib" / "python3.11" / "site-packages" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("site = Flask(__name__)\n")
    uwsgi = str(tmp_path / "venv" / "bin" / "uwsgi")
    assert no_callable("shop", str(tmp_path), uwsgi, ()) == "shop has no callable named application: use shop:site"
    assert no_callable("nosuch", str(tmp_path), uwsgi, ()) is None


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    said = no_callable("src/web.py:app", str(tmp_path), "uwsgi", ())
    assert said == f"there is no file {tmp_path}/src/web.py: expected the one that spec.module names"


def test_a_factory_in_a_file_is_named_as_one_of_a_module(tmp_path: Path) -> None:
    """The manifest refuses `src/web.py:create_app()`, and uWSGI would not call it."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "web.py").write_text("def create_app(): ...\n")
    said = no_callable("src/web.py", str(tmp_path), "uwsgi", ())
    assert said is not None
    assert said.endswith("use web:create_app() and the option pythonpath with the value src")
    (tmp_path / "src" / "web.py").write_text("def create_app(): ...\nsite = create_app()\n")
    said = no_callable("src/web.py", str(tmp_path), "uwsgi", ())
    assert said is not None
    assert said.endswith("use src/web.py:site")


def test_a_name_that_ends_in_wsgi_is_a_file_unless_there_is_such_a_module(tmp_path: Path) -> None:
    assert not names_a_file("app.wsgi", str(tmp_path))
    (tmp_path / "app.wsgi").write_text("")
    assert names_a_file("app.wsgi", str(tmp_path))
    (tmp_path / "app").mkdir()
    assert names_a_file("app.wsgi", str(tmp_path))
    (tmp_path / "app" / "wsgi.py").write_text("")
    assert not names_a_file("app.wsgi", str(tmp_path))
    assert names_a_file("/srv/app.wsgi", str(tmp_path))
    assert names_a_file("src/web.py:app", str(tmp_path))
    assert not names_a_file("web:app", str(tmp_path))
