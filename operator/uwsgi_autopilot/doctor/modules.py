"""Read the application's own modules: the one that uWSGI loads, and what it imports from the same folders."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from uwsgi_autopilot.doctor.code import CONNECT, LATER, POOL, RUNNING, STARTED, Source, read_source
from uwsgi_autopilot.doctor.configuration import Code, Configuration, Use

# Of an application: enough for all that were tried, and a second of work at most.
MOST_MODULES = 300
MOST_BYTES = 1024 * 1024


def read_code(asked: Configuration, cwd: str) -> Code:
    """Nothing is imported or run; what cannot be read or parsed is left out."""
    folder = Path(os.path.normpath(os.path.join(cwd, asked.last("chdir2") or asked.last("chdir") or "")))
    places = [folder, *(Path(os.path.join(folder, each)) for each in asked.every("pythonpath"))]
    connections: list[Use] = []
    pools: list[Use] = []
    threads: list[Use] = []
    options: set[str] = set()
    for path, source in _sources(_first(asked, folder, places), places):
        options |= source.options
        for call in source.calls:
            use = Use(place=f"{_shown(path, places)}:{call.line}", call=call.name, at_import=call.at_import)
            if call.name in CONNECT | POOL and call.at_import:
                (connections if call.name in CONNECT or call.used else pools).append(use)
            elif call.name in RUNNING | STARTED | LATER:
                runs = call.at_import and (call.name in RUNNING or (call.name in STARTED and call.used))
                threads.append(Use(place=use.place, call=use.call, at_import=runs))
    return Code(connections=tuple(connections), pools=tuple(pools), threads=tuple(threads), options=frozenset(options))


def _first(asked: Configuration, folder: Path, places: Sequence[Path]) -> list[tuple[Path, str]]:
    """(file, name of its package) of what uWSGI loads."""
    found = [(folder / value.partition(":")[0], "") for value in asked.every("wsgi-file")]
    mounted = [value.partition("=")[2] for value in asked.every("mount")]
    for value in [*asked.every("module"), *mounted]:
        name = value.partition(":")[0].strip()
        if (folder / name).is_file():  # `shop.wsgi` is a module, and a file where there is one of that name
            found.append((folder / name, ""))
        else:
            found += _files_of(name, places)
    return found


def _files_of(name: str, places: Sequence[Path]) -> list[tuple[Path, str]]:
    """Those that an import of the module `name` executes: the packages it lies in, and itself."""
    found: list[tuple[Path, str]] = []
    parts = name.split(".")
    for place in places:
        for count in range(1, len(parts) + 1):
            path, package = place.joinpath(*parts[:count]), ".".join(parts[:count])
            if (init := path / "__init__.py").is_file():
                found.append((init, package))
            elif (file := path.with_name(f"{path.name}.py")).is_file():
                found.append((file, package.rpartition(".")[0]))
        if found:
            break
    return found


def _sources(first: list[tuple[Path, str]], places: Sequence[Path]) -> Iterator[tuple[Path, Source]]:
    waiting, seen = list(first), set[Path]()
    while waiting and len(seen) < MOST_MODULES:
        path, package = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        try:
            if not path.is_file() or path.stat().st_size > MOST_BYTES:
                continue
            source = read_source(path.read_text(encoding="utf-8"), package)
        except (OSError, ValueError, SyntaxError, RecursionError):
            continue
        yield path, source
        for name in source.imports:
            waiting += _files_of(name, places)


def _shown(path: Path, places: Sequence[Path]) -> str:
    for place in places:
        if path.is_relative_to(place):
            return str(path.relative_to(place))
    return str(path)
