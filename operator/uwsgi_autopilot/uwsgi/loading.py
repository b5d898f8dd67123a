"""What `module` names, by what lies in the folder: a module, or a file that uWSGI is to load; and, when uWSGI finds no
callable there, which ones the module has. Reads files, imports nothing."""

import ast
import os
from collections.abc import Iterable, Sequence
from glob import glob
from pathlib import Path

# Names and makers of WSGI applications, for a sentence: that one is missing from here costs nothing but its mention.
_NAMES = frozenset({"app", "application", "api", "wsgi", "server"})
_MAKERS = frozenset(
    {"Flask", "Quart", "Bottle", "Falcon", "API", "App", "Application", "get_wsgi_application", "DispatcherMiddleware"}
)
_FACTORIES = ("create_app", "make_app", "build_app", "get_app", "create_application", "application_factory")
MOST_NAMES = 5


def names_a_file(module: str, folder: str) -> bool:
    """`wsgi.py` and `src/wsgi.py:app` do. `app.wsgi` does where there is such a file and no package `app` with a
    module `wsgi`, as Django's projects have; so does `/srv/app.wsgi`, mod_wsgi's way."""
    path, _, _ = module.partition(":")
    if path.endswith(".py"):
        return True
    if not path.endswith(".wsgi"):
        return False
    return "/" in path or (os.path.isfile(os.path.join(folder, path)) and _file_of(path, [folder]) is None)


def no_callable(module: str, folder: str, uwsgi: str, options: Iterable[tuple[str, str | None]]) -> str | None:
    """The remedy when uWSGI has not found the callable of `module`, one sentence; None: the module itself is not found.

    `uwsgi`: path of the program, whose virtual environment may hold the module.
    """
    name, _, wanted = module.partition(":")
    places = [folder, *(os.path.join(folder, value) for key, value in options if key in _PATHS and value)]
    places += glob(os.path.join(os.path.dirname(os.path.dirname(uwsgi)), "lib", "python*", "site-packages"))
    is_file = names_a_file(module, folder)
    file = os.path.join(folder, name) if is_file else _file_of(name, places)
    if file is None:
        return None
    if not os.path.isfile(file):
        return f"there is no file {file}: expected the one that spec.module names"
    found = callables(file)
    missing = f"{name} has no callable named {wanted or 'application'}"
    if is_file:
        factories, found = found, [each for each in found if not each.endswith("()")]
        if factories and not found:  # measured: uWSGI takes `create_app()` for a name there
            place, stem = os.path.split(name)
            where = f" and the option pythonpath with the value {place}" if place else ""
            return f"{missing}, and uWSGI calls a factory of a module only: use {Path(stem).stem}:{factories[0]}{where}"
    if not found:
        return f"{missing}, and nothing in it looks like one: add :NAME with the name that your application has"
    return f"{missing}: use {' or '.join(f'{name}:{each}' for each in found)}"


_PATHS = frozenset({"pythonpath", "pp", "python-path"})


def callables(file: str, *, follow: bool = True) -> list[str]:
    """Names in a module's source that look like WSGI applications or their factories, likeliest first, at most five."""
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets: Sequence[ast.expr] = node.targets if isinstance(node, ast.Assign) else [node.target]
            made = isinstance(node.value, ast.Call) and _called(node.value) in {*_MAKERS, *_FACTORIES}
            found += [each.id for each in targets if isinstance(each, ast.Name) and (made or each.id in _NAMES)]
        elif isinstance(node, ast.FunctionDef) and node.name in _FACTORIES and not _needs_arguments(node):
            found.append(f"{node.name}()")
        elif isinstance(node, ast.FunctionDef) and node.name in _NAMES:
            found.append(node.name)
        elif isinstance(node, ast.ImportFrom):
            found += _imported(node, file) if follow else []
    return sorted(dict.fromkeys(found), key=lambda each: each.endswith("()"))[:MOST_NAMES]


def _imported(node: ast.ImportFrom, file: str) -> list[str]:
    """`from .core import app` and `from .core import *`: one file further, not more."""
    names = [alias.asname or alias.name for alias in node.names]
    if names != ["*"]:
        return [each for each in names if each in _NAMES]
    if node.level != 1 or not node.module:
        return []
    other = _file_of(node.module, [os.path.dirname(file)])
    return callables(other, follow=False) if other else []


def _file_of(name: str, places: Iterable[str]) -> str | None:
    below = name.replace(".", "/")
    for place in places:
        for path in (os.path.join(place, f"{below}.py"), os.path.join(place, below, "__init__.py")):
            if os.path.isfile(path):
                return path
    return None


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _needs_arguments(node: ast.FunctionDef) -> bool:
    arguments = node.args
    return len(arguments.args) > len(arguments.defaults) or any(each is None for each in arguments.kw_defaults)
