"""Whatever stands in a file: a UwsgiApp, or an error that says so in plain words."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from uwsgi_autopilot.api import schema
from uwsgi_autopilot.api.jsonschema import Schema
from uwsgi_autopilot.api.manifest import parse_manifest
from uwsgi_autopilot.api.options import refusal_of
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.errors import SpecError, UsageError

FIELDS = schema.json_schema()["properties"]
HEAD = {"apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp"}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["500m", "1Gi", "-1", "1e99", "1e999999999", "60s", "h", "/a", "/a/", "wsgi:app", "Auto", ""])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


def shaped_like(node: Schema) -> st.SearchStrategy[Any]:
    """Values that mostly fit the schema: they reach the rules, which values out of nothing never do."""
    if "enum" in node or "const" in node:
        fitting: st.SearchStrategy[Any] = st.sampled_from(node.get("enum", [node.get("const")]))
    elif node.get("properties"):
        fitting = st.fixed_dictionaries(
            {}, optional={name: shaped_like(inner) for name, inner in node["properties"].items()}
        )
    elif node.get("type") == "array":
        fitting = st.lists(shaped_like(node["items"]), max_size=3)
    elif node.get("type") == "integer":
        fitting = st.integers(0, 70)
    else:
        fitting = SCALARS
    return st.one_of(fitting, fitting, fitting, fitting, ANYTHING)


def parsed(text: str) -> UwsgiApp | None:
    try:
        return parse_manifest(text, "shop.yaml")
    except UsageError as error:
        sentence = str(error)
    assert sentence
    sentence.encode()  # a terminal must be able to show it
    assert not any(ord(letter) < 32 for letter in sentence.replace("\n", ""))
    return None


@settings(max_examples=150, deadline=None)
@given(st.text())
@example("? : :")
@example("a: !!set {b, c}")
@example("!!binary aGVsbG8=")
@example("a: 0x" + "f" * 90)
@example("%YAML 999999999999999999999999.1\n---\na")
@example("<<: [*a]")
@example("a: &a {<<: *a}")
@example("--- !foo\nkind: UwsgiApp")
@example("a: 0o\nb: 0x_\nc: 1__\nd: .\ne: +.e1\nf: 08\ng: 1e999\nh: .inf")
def test_any_text(text: str) -> None:
    parsed(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*"{}[]:,&*!|>'\"%@`?-#~<= \n\t", "a", "kind", "UwsgiApp", "<<", "- ", ": "])))
def test_any_punctuation(parts: list[str]) -> None:
    parsed("".join(parts))


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_any_structure_as_spec(value: Any) -> None:
    parsed(json.dumps({**HEAD, "metadata": {"name": "shop"}, "spec": value}))


@settings(max_examples=200, deadline=None)
@given(shaped_like(FIELDS["spec"]), shaped_like(FIELDS["metadata"]))
def test_structures_that_almost_fit(spec: Any, metadata: Any) -> None:
    parsed(yaml.safe_dump({**HEAD, "metadata": metadata, "spec": spec}))


SMALL = st.integers(1, 12)
SHAPES = st.fixed_dictionaries({"processes": SMALL, "threads": SMALL})
BOUNDS = st.fixed_dictionaries({}, optional={"min": st.integers(1, 3), "max": SMALL})
NAMED = st.fixed_dictionaries({"name": st.sampled_from(["A", "lazy-apps", "p", "env"])}, optional={"value": st.text()})
SPECS = st.fixed_dictionaries(
    {"module": st.just("wsgi:app")},
    optional={
        "env": st.lists(NAMED, max_size=2),
        "uwsgi": st.fixed_dictionaries({"options": st.lists(NAMED, max_size=2)}),
        "nginx": st.fixed_dictionaries(
            {"static": st.lists(st.fixed_dictionaries({"path": st.sampled_from(["/", "/a", "/a/"]), "dir": st.text()}))}
        ),
        "tuning": st.fixed_dictionaries(
            {},
            optional={
                "start": SHAPES,
                "pin": SHAPES,
                "processes": BOUNDS,
                "threads": BOUNDS,
                "maxConnections": SMALL,
                "connectionsPerProcess": SMALL,
            },
        ),
    },
)


@settings(max_examples=150, deadline=None)
@given(SPECS)
def test_an_accepted_manifest_keeps_its_own_rules(spec: Any) -> None:
    app = parsed(json.dumps({**HEAD, "metadata": {"name": "shop"}, "spec": spec}))
    assume(app is not None)
    assert app is not None
    tuning = app.tuning
    for shape in filter(None, (tuning.start, tuning.pin)):
        assert tuning.processes.clamp(shape.processes) == shape.processes
        assert tuning.threads.clamp(shape.threads) == shape.threads
    if tuning.max_connections and tuning.pin:
        assert tuning.pin.processes * (tuning.connections_per_process or tuning.pin.threads) <= tuning.max_connections
    for option in app.options:
        assert refusal_of(option.name) is None
        assert not set(option.value or "") & set("\r\n\0")
    assert len({files.path for files in app.nginx.static}) == len(app.nginx.static)
    assert not any(set(files.dir) & set("\"';${}\n") or files.path == "" for files in app.nginx.static)
    assert len(dict(app.env)) == len(app.env)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(), min_size=1))
def test_a_key_written_twice_is_never_overlooked(pairs: dict[str, int]) -> None:
    lines = [f"    {key}: {value}\n" for key, value in pairs.items()]
    head = "apiVersion: uwsgi-autopilot.dev/v1alpha1\nkind: UwsgiApp\nmetadata: {name: shop}\n"
    text = f"{head}spec:\n  module: a:b\n  template:\n{''.join(lines)}"
    assert parsed(text) is not None
    with pytest.raises(SpecError, match="written twice, in line 7 and in line"):
        parse_manifest(text + lines[0], "shop.yaml")
