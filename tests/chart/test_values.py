"""values.yaml says what each value does; values.schema.json refuses what it does not say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "chart"
TEXT = (CHART / "values.yaml").read_text(encoding="utf-8")
VALUES = yaml.safe_load(TEXT)
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def leaves_of(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """What a person sets as one thing: where the schema names no further keys, or the file explains the whole."""
    for name, inner in schema["properties"].items():
        if "properties" in inner and name != "resources":
            yield from leaves_of(inner, (*path, name))
        else:
            yield (*path, name)


def schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for inner in schema.get("properties", {}).values():
        yield from schemas_in(inner)


def explained() -> dict[tuple[str, ...], str]:
    """path of a key -> the `# --` sentence above it."""
    found: dict[tuple[str, ...], str] = {}
    path: list[str] = []
    above = ""
    for line in TEXT.splitlines():
        if match := re.match(r" *# -- (.*)", line):
            above = match[1]
        elif match := re.match(r"( *)([A-Za-z]+):", line):
            path = [*path[: len(match[1]) // 2], match[2]]
            if above:
                found[tuple(path)] = above
            above = ""
    return found


README = (CHART / "README.md").read_text(encoding="utf-8")
LEAVES = [leaf for leaf in leaves_of(SCHEMA) if leaf != ("global",)]


@pytest.mark.parametrize("leaf", LEAVES, ids=".".join)
def test_a_sentence_stands_above(leaf: tuple[str, ...]) -> None:
    sentence = explained()[leaf]
    assert re.fullmatch(r"[A-Z/].*\.", sentence)


@pytest.mark.parametrize("leaf", LEAVES, ids=".".join)
def test_the_file_shows_the_default(leaf: tuple[str, ...]) -> None:
    value = VALUES
    for key in leaf:
        assert key in value
        value = value[key]


def test_the_schema_knows_nothing_that_the_file_does_not_show() -> None:
    def keys(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
        for name in value:
            if name not in schema.get("properties", {}):
                yield f"{path}{name}"
            elif "properties" in schema["properties"][name] and isinstance(value[name], dict):
                yield from keys(value[name], schema["properties"][name], f"{path}{name}.")

    assert list(keys(VALUES, SCHEMA)) == []


def test_every_mapping_with_known_keys_refuses_others() -> None:
    known = [each for each in schemas_in(SCHEMA) if "properties" in each]
    assert len(known) > 15
    assert [each for each in known if each.get("additionalProperties") is not False] == []


def rows_of_the_readme() -> dict[str, tuple[str, str]]:
    """value -> (default, sentence)"""
    found = re.findall(r"^\| `([A-Za-z.]+)` \| `(.*?)` \| (.*) \|$", README, re.MULTILINE)
    return {name: (default, sentence) for name, default, sentence in found}


def test_the_readme_lists_every_value_and_no_other() -> None:
    assert set(rows_of_the_readme()) == {".".join(leaf) for leaf in LEAVES}


@pytest.mark.parametrize("leaf", LEAVES, ids=".".join)
def test_the_readme_has_its_default_and_its_sentence(leaf: tuple[str, ...]) -> None:
    value = VALUES
    for key in leaf:
        value = value[key]
    default, sentence = rows_of_the_readme()[".".join(leaf)]
    assert yaml.safe_load(default) == value
    assert sentence == explained()[leaf]
