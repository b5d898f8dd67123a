"""A manifest's text becomes a UwsgiApp, or one sentence for each thing that is wrong with it."""

import re
from pathlib import Path as FilePath

from uwsgi_autopilot.api import schema
from uwsgi_autopilot.api.complete import app_of, ignored_in
from uwsgi_autopilot.api.rule import Path
from uwsgi_autopilot.api.rules import broken_rules
from uwsgi_autopilot.api.sentences import wrong_field
from uwsgi_autopilot.api.uwsgiapp import API_VERSION, KIND, UwsgiApp
from uwsgi_autopilot.api.words import found, written
from uwsgi_autopilot.api.yamltext import MAX_BYTES, Document, read_documents
from uwsgi_autopilot.errors import SpecError, UsageError

_SCHEMA = schema.json_schema()
_OURS = re.compile(rf"^kind:\s*['\"]?{KIND}\b", re.MULTILINE)


def is_manifest(path: FilePath, text: str) -> bool:
    """Told from a configuration of uWSGI, which may be YAML as well, before either is read."""
    return path.suffix in (".yaml", ".yml") and _OURS.search(text) is not None


def load_manifest(path: FilePath) -> UwsgiApp:
    """Read the manifest in the file `path`.

    Raises UsageError when the file cannot be read or holds no UwsgiApp, SpecError when one of its fields is wrong.
    """
    text = _text_of(path)
    _check_suffix(path)
    return parse_manifest(text, str(path))


def parse_manifest(text: str, source: str) -> UwsgiApp:
    """Read the one UwsgiApp in `text`; `source` names the text in messages about YAML itself.

    Raises UsageError and SpecError as `load_manifest` does. SpecError lists all problems in the manifest's order.
    """
    document = _the_one(read_documents(text, source), source)
    problems = _problems_in(document)
    if problems:
        # Where a path is not there (a missing field) its nearest parent that is counts.
        problems.sort(key=lambda problem: _place(document, problem[0]))
        raise SpecError([(written(path), sentence) for path, sentence in problems])
    return app_of(schema.completed(document.data), ignored=ignored_in(document.data))


def _check_suffix(path: FilePath) -> None:
    """What else people give. Its text would be told of missing fields or of YAML's syntax, which helps nobody."""
    if path.suffix == ".py":
        module = f"{{module: {path.stem}:app}}"
        raise UsageError(f"{path}: expected a manifest, found Python: write one next to it, with `spec: {module}`")
    if path.suffix == ".ini":
        raise UsageError(
            f"{path}: expected a manifest, found a configuration of uWSGI: `uwsgi-autopilot serve {path}` takes it"
        )


def _the_one(documents: list[Document], source: str) -> Document:
    """The UwsgiApp among the documents of a file."""
    if not documents:
        raise UsageError(f"{source}: expected a manifest of kind {KIND}, found an empty file")
    ours = [each for each in documents if isinstance(each.data, dict) and each.data.get("kind") == KIND]
    if len(ours) > 1:
        lines = " and ".join(str(each.line) for each in ours)
        raise UsageError(
            f"{source}: expected one {KIND}, found {len(ours)} (in lines {lines}): put each into its own file"
        )
    if ours:
        return ours[0]
    if len(documents) > 1:
        kinds = [each.data.get("kind") if isinstance(each.data, dict) else each.data for each in documents]
        raise UsageError(f"{source}: expected one {KIND}, found none among {', '.join(map(found, kinds))}")
    data = documents[0].data
    if not isinstance(data, dict):
        raise UsageError(f"{source}: expected a manifest with apiVersion, kind, metadata and spec, found {found(data)}")
    return documents[0]


def _problems_in(document: Document) -> list[tuple[Path, str]]:
    data = document.data
    strangers: list[tuple[Path, str]] = [
        ((key,), f"expected {expected}, found {found(data.get(key))}")
        for key, expected in (("apiVersion", API_VERSION), ("kind", KIND))
        if data.get(key) != expected
    ]
    if strangers:
        return strangers  # of another kind the fields would all be unknown
    errors = schema.errors_in(data)
    in_text = list(document.problems)
    ill_formed = frozenset(path for path, name, _ in errors if name != "extra_forbidden")
    ill_formed |= frozenset(path for path, _ in in_text)
    seen = {path for path, _ in in_text}
    wrong = [
        (path, wrong_field(_SCHEMA, path, name, value, document.written.get(path)))
        for path, name, value in errors
        if path not in seen
    ]
    return in_text + wrong + broken_rules(schema.completed(data), ill_formed)


def _place(document: Document, path: Path) -> int:
    for length in range(len(path), -1, -1):
        if (order := document.order.get(path[:length])) is not None:
            return order
    return 0


def _text_of(path: FilePath) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        inside = path / "uwsgiapp.yaml"
        name = inside if inside.is_file() else f"{path}/FILE.yaml"
        raise UsageError(f"{path}: expected a manifest, found a directory: name the file, such as {name}") from None
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file: give the path of a {KIND} manifest") from None
    except PermissionError:
        raise UsageError(
            f"{path}: not readable for this user: change its mode (chmod a+r) or run as its owner"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise UsageError(f"{path!s}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: expected a manifest of at most 1 MiB, found more")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path}:{line}: expected UTF-8, found the byte 0x{content[error.start]:02x}: save it as UTF-8"
        ) from None
