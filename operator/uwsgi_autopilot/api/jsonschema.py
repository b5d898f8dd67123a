"""Walk the manifest's JSON schema: plain dictionaries, as pydantic and the API server write them."""

from collections.abc import Iterator
from typing import Any

from uwsgi_autopilot.api.rule import Path

Schema = dict[str, Any]


def at(schema: Schema, path: Path) -> Schema:
    """The schema of the field at `path`; {} for what the schema does not know."""
    node = schema
    for key in path:
        node = node.get("items", {}) if isinstance(key, int) else node.get("properties", {}).get(key, {})
    return node


def paths_in(node: Schema, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every field below `node`; entries of lists are not entered."""
    for name, inner in node.get("properties", {}).items():
        yield (*path, name)
        yield from paths_in(inner, (*path, name))


def resolved(schema: Schema) -> Schema:
    """Put definitions where they are referred to, and drop pydantic's `null` beside an optional field's type.

    What a structural schema wants: neither `$ref` nor `anyOf`. The models hold no recursion.
    """
    plain: Schema = _resolved(schema, schema.get("$defs", {}))
    return plain


def _resolved(node: Any, definitions: Schema) -> Any:
    if isinstance(node, list):
        return [_resolved(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    merged = {key: value for key, value in node.items() if key not in ("$ref", "$defs", "anyOf")}
    if "$ref" in node:
        merged = {**definitions[node["$ref"].rsplit("/", 1)[1]], **merged}
    for each in node.get("anyOf", ()):
        if each != {"type": "null"}:
            merged = {**each, **merged}
    if "$ref" in merged:
        return _resolved(merged, definitions)
    return {key: _resolved(value, definitions) for key, value in merged.items()}
