"""Say in one sentence what is wrong with a field: what was expected, what was found, and what to write.

Works on the manifest's JSON schema, from which the custom resource definition is made too.
"""

from difflib import get_close_matches
from typing import Any

from uwsgi_autopilot.api.jsonschema import Schema, at, paths_in
from uwsgi_autopilot.api.rule import Path
from uwsgi_autopilot.api.words import any_of, found, kind_of, plain, written

_UPPER = ("less_than_equal", "too_long", "string_too_long")
_LOWER = ("greater_than_equal", "too_short", "string_too_short")


def wrong_field(schema: Schema, path: Path, error: str, value: Any, text: str | None) -> str:
    """`error`: pydantic's name for it. `text`: the value as written, where YAML read something else than a text."""
    node = at(schema, path)
    if error == "missing":
        description = node.get("description", "").rstrip(".")
        return f"expected {_expectation(node, '')}, found nothing" + (f" ({description})" if description else "")
    if error == "extra_forbidden":
        return _unknown(schema, path)
    side = "upper" if error in _UPPER else "lower" if error in _LOWER else ""
    if is_secret(path):
        return f"expected {_expectation(node, side)}, found {kind_of(value)}" + (": put it in quotes" if text else "")
    return f"expected {_expectation(node, side)}, found {_length_of(value, side)}" + _hint(node, value, text)


def is_secret(path: Path) -> bool:
    """The value of an environment variable is never repeated: it may be a password."""
    return len(path) == 4 and path[:2] == ("spec", "env") and path[3] == "value"


def _expectation(node: Schema, side: str) -> str:
    if "enum" in node or "const" in node:
        return any_of(node.get("enum", [node.get("const")]))
    if node.get("x-kubernetes-int-or-string"):
        return "a quantity such as 500m, 2 or 1Gi"
    kind = node.get("type")
    if kind == "integer":
        return f"a whole number of at {'most' if side == 'upper' else 'least'} " + str(
            node["maximum" if side == "upper" else "minimum"]
        )
    if kind == "string":
        if side == "upper":
            return f"a text of at most {node['maxLength']} characters"
        return "a text that is not empty" if side == "lower" else "a text"
    if kind == "array":
        if side == "lower":
            return f"a list of at least {node['minItems']}"
        return f"a list of at most {node['maxItems']}" if side == "upper" else "a list"
    if kind == "boolean":
        return "true or false"
    if side == "upper":
        return f"a mapping of at most {node['maxProperties']}"
    return f"a mapping with {', '.join(list(node['properties'])[:12])}" if node.get("properties") else "a mapping"


def _length_of(value: Any, side: str) -> str:
    return f"{len(value)}" if side == "upper" and isinstance(value, str | dict) else found(value)


def _hint(node: Schema, value: Any, text: str | None) -> str:
    names = node.get("enum", [])
    kind = node.get("type")
    if isinstance(value, bool) and text is not None and (names or kind == "string"):
        write = f'write "{text}" in quotes'
        if {"Auto", "Disabled"} <= set(names):
            write = "write Auto" if value else "write Disabled"
        as_read = "" if text.lower() in ("true", "false") else f"YAML reads {text} as {plain(value)}: "
        return f" ({as_read}{write})"
    if names and isinstance(value, str):
        nearest = get_close_matches(value.lower(), [name.lower() for name in names], 1)
        return "".join(f", did you mean {name}?" for name in names if name.lower() in nearest)
    if isinstance(value, float) and node.get("x-kubernetes-int-or-string"):
        return f' (write "{text}" in quotes)'
    if isinstance(value, int) and kind == "string" and str(node.get("default", "")).removesuffix("s").isdigit():
        return f" (write {text}s for seconds)"
    if isinstance(value, int | float) and not isinstance(value, bool) and kind == "string":
        return f' (write "{text}" in quotes)'
    if kind == "integer" and isinstance(value, str) and value.strip().isdigit():
        return " (write it without quotes)"
    if kind == "array" and isinstance(value, dict):
        return " (begin each entry with a dash)"
    return ""


def _unknown(schema: Schema, path: Path) -> str:
    name, known = str(path[-1]), list(at(schema, path[:-1]).get("properties", {}))
    # Most certain first: the same word spelt differently, the same word elsewhere, a typo, a synonym.
    meant = (
        _spelt_like(name, known, cutoff=1.0)
        or _elsewhere(schema, name)
        or _spelt_like(name, known, cutoff=0.75)
        or _elsewhere(schema, _OTHER_WORDS.get(name, name))
    )
    if meant:
        return f"unknown field, did you mean {meant}? Known here: {', '.join(known)}"
    return f"unknown field; known here: {', '.join(known)}"


# Names by which people may know the fields.
_OTHER_WORDS = {
    "workers": "processes",
    "timeout": "readTimeout",
    "app": "module",
    "wsgi": "module",
    "environment": "env",
    "ports": "port",
    "args": "options",
    "command": "module",
}


def _folded(name: str) -> str:
    """`max_connections`, `max-connections` and `maxconnections` are one word."""
    return name.replace("_", "").replace("-", "").lower()


def _spelt_like(name: str, known: list[str], cutoff: float) -> str | None:
    folded = {_folded(each): each for each in known}
    near = get_close_matches(_folded(name), list(folded), 1, cutoff=cutoff)
    return folded[near[0]] if near else None


def _elsewhere(schema: Schema, name: str) -> str | None:
    """The path of the shallowest field of this name elsewhere in spec."""
    paths = [path for path in paths_in(at(schema, ("spec",)), ("spec",)) if _folded(str(path[-1])) == _folded(name)]
    return written(min(paths, key=len)) if paths else None
