"""Read YAML as `kubectl` does, and remember where everything was.

PyYAML's own loader differs in ways that hurt in a manifest: it silently takes the last of two equal keys, turns plain
text into dates and sexagesimal numbers (`1:30`), builds sets and bytes from tags, and expands aliases without limit. So
only PyYAML's parser is used here; its nodes become plain JSON values in `_Reader`.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from uwsgi_autopilot.errors import UsageError

# etcd takes objects of up to 1.5 MiB; what is larger than this is no manifest.
MAX_BYTES = 1024 * 1024
# Values after aliases are expanded. Nine lines of aliases can stand for 10^9 values ("billion laughs").
MAX_VALUES = 100_000

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document as plain values.

    order: position of each path in the text. written: the text of scalars that YAML read as something else than text
    (`Off` as false). problems: (path, sentence) for what only the text shows, such as a duplicate key.
    """

    data: Any
    line: int
    order: dict[Path, int] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    problems: tuple[tuple[Path, str], ...] = ()


class _Parser(yaml.SafeLoader):
    """PyYAML's parser with the scalars of kubectl's YAML: no dates, no `1:30`, `1e3` is a number."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML declares it so)


_TAG = "tag:yaml.org,2002:"
for _kind, _pattern, _first in (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
    ("int", r"[-+]?(?:0b[01][01_]*|0o?[0-7][0-7_]*|0x[0-9a-fA-F][0-9a-fA-F_]*|[1-9][0-9_]*|0)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
):
    _Parser.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(f"^(?:{_pattern})$"), [*_first, ""])


def read_documents(text: str, source: str) -> list[Document]:
    """Return the documents of `text` that are not empty.

    Raises UsageError with `source` and the line when the text is not YAML, is nested or repeated without measure, or
    is larger than any manifest.
    """
    if len(text) > MAX_BYTES:
        raise UsageError(f"{source}: expected a manifest of at most 1 MiB, found {len(text)} characters")
    parser = None
    try:
        parser = _Parser(text)
        documents = []
        while parser.check_node():
            if (node := parser.get_node()) is not None:
                documents.append(_Reader(source).document(node))
    except yaml.YAMLError as error:
        raise UsageError(_in_words(error, text, source)) from None
    except RecursionError:
        raise UsageError(f"{source}: nested too deeply for a manifest") from None
    except (ValueError, OverflowError) as error:  # PyYAML on "\U99999999" and on absurd %YAML versions
        line = parser.line + 1 if parser else 1
        raise UsageError(f"{source}:{line}: not YAML: {error}") from None
    return [each for each in documents if each.data is not None]


class _Reader:
    """Turns the nodes of one document into plain values."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._order: dict[Path, int] = {}
        self._written: dict[Path, str] = {}
        self._problems: list[tuple[Path, str]] = []
        self._open: set[int] = set()  # ids of the nodes around the current one: an alias to one of them has no end
        self._values = 0

    def document(self, node: yaml.Node) -> Document:
        data = self._value(node, ())
        return Document(
            data=data,
            line=node.start_mark.line + 1,
            order=self._order,
            written=self._written,
            problems=tuple(self._problems),
        )

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._count(1)
        self._order.setdefault(path, self._values)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            line = node.start_mark.line + 1
            raise UsageError(f"{self._source}:{line}: an alias (*name) stands inside of what it names, without an end")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                self._known_tag(node, path, "seq")
                return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
            self._known_tag(node, path, "map")
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise UsageError(f"{self._source}: more than {MAX_VALUES} values once its aliases (*name) are expanded")

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        inherited: dict[str, yaml.Node] = {}
        own: dict[str, yaml.Node] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == f"{_TAG}merge":
                for base in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    for name, inner in self._merged(base, path).items():
                        inherited.setdefault(name, inner)
                continue
            field_name = self._key(key, path)
            if field_name in own:
                sentence = f"written twice, in line {lines[field_name]} and in line {line}: only one of them can count"
                self._problems.append(((*path, field_name), sentence))
            elif field_name is not None:
                own[field_name], lines[field_name] = value, line
        return {name: self._value(value, (*path, name)) for name, value in {**inherited, **own}.items()}

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, yaml.Node]:
        """What `<<: *base` brings in; a base may have its own."""
        if not isinstance(node, yaml.MappingNode) or id(node) in self._open:
            self._problems.append((path, f"line {node.start_mark.line + 1}: `<<` takes only mappings from elsewhere"))
            return {}
        self._count(1 + len(node.value))
        self._open.add(id(node))
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                for base in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    found = {**self._merged(base, path), **found}
            elif (name := self._key(key, path)) is not None:
                found[name] = value
        self._open.discard(id(node))
        return found

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        """Numbers and booleans count as they are written, as they do for kubectl with numbers."""
        if isinstance(node, yaml.ScalarNode) and node.tag != f"{_TAG}null" and _is_unicode(node.value):
            return str(node.value)
        self._problems.append((path, f"line {node.start_mark.line + 1}: expected the name of a field before the colon"))
        return None

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text, tag = str(node.value), node.tag.removeprefix(_TAG)
        if tag in ("str", "merge"):
            if not _is_unicode(text):
                self._problems.append((path, "expected a text, found half of a surrogate pair (\\ud800 to \\udfff)"))
                return ""
            return text
        self._known_tag(node, path, "null", "bool", "int", "float")
        if tag == "null":
            return None
        self._written[path] = text
        if tag == "bool":
            return text.lower() in ("yes", "true", "on")
        if tag == "int":
            return _whole_number(text)
        if tag == "float":
            number = float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
            if not math.isfinite(number):
                self._problems.append((path, f"expected a number that JSON can hold, found {text[:40]}"))
                return 0.0
            return number
        return text

    def _known_tag(self, node: yaml.Node, path: Path, *kinds: str) -> None:
        if node.tag not in {f"{_TAG}{kind}" for kind in kinds}:
            line = node.start_mark.line + 1
            self._problems.append((path, f"line {line}: the tag {node.tag.replace(_TAG, '!!')!r} has no place here"))


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _whole_number(text: str) -> int:
    """`0644` is octal, as in YAML 1.1 and for kubectl. Raises ValueError, also for a number of thousands of digits."""
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("+-").replace("_", "").lower()
    if len(digits) > 100:
        raise ValueError(f"a number of {len(digits)} digits")
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)):
        if digits.startswith(prefix) and len(digits) > len(prefix):
            return sign * int(digits[len(prefix) :], base)
    return sign * int(digits)


def _in_words(error: yaml.YAMLError, text: str, source: str) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"{source}:{mark.line + 1}" if mark else source
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in str(error):
        return f"{where}: a tab stands in the indentation: YAML takes spaces only"
    if "{{" in text:
        return (
            f"{where}: this is a template with {{{{ }}}}, not YAML: render it first, for example with `helm template`"
        )
    problem = getattr(error, "problem", None)
    if problem is None:  # ReaderError: a byte that may not stand in YAML
        return f"{where}: not YAML: {str(error).splitlines()[0]}"
    context = getattr(error, "context", None)
    return f"{where}: not YAML: {problem}" + (f" ({context})" if context else "")
