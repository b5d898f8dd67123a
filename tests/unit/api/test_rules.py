"""The rows themselves: each is needed, and its two languages mean the same."""

import re
import string
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from uwsgi_autopilot.api import options, schema
from uwsgi_autopilot.api.options import refusal_of
from uwsgi_autopilot.api.rule import Rule, values_at
from uwsgi_autopilot.api.rules import RULES, broken_rules
from uwsgi_autopilot.api.words import written

ROWS = yaml.safe_load((Path(__file__).parent / "wrong.yaml").read_text(encoding="utf-8"))
PATTERN = re.compile(r"self\.matches\(r'\^\(\?:(.*)\)\$'\)", re.DOTALL)
SAMPLES = [
    *(
        "wsgi:app",
        "a.b.c:d.e()",
        "shop/wsgi.py:app",
        "/static/",
        "/a/../b",
        "/_autopilot",
        "/_autopilot/x",
        "UWSGI_A\n",
    ),
    *("processes", "p", "http-x", "cheaper-x", "if-x", "touch-x-reload", "[::1]:80", "a.b:80", "shop:1.4\n"),
]
PATTERNS = [rule for rule in RULES if isinstance(rule, Rule) and PATTERN.search(rule.cel or "")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.path} {rule.cel}"[:90])
def test_a_rule_is_about_fields_that_exist(rule: Any) -> None:
    fields = schema.json_schema()
    names = [*filter(None, rule.path.split(".")), *filter(None, getattr(rule, "about", "").split("."))]
    for name in names:
        fields = fields["properties"][name.removesuffix("[]")]
        fields = fields["items"] if name.endswith("[]") else fields


def test_every_rule_has_a_manifest_that_breaks_it() -> None:
    blamed = {re.sub(r"\[\d+\]", "[]", row["path"]) for row in ROWS}
    for rule in RULES:
        key = f"[].{rule.key}" if not isinstance(rule, Rule) else f".{rule.about}" if rule.about else ""
        assert (rule.path + key).lstrip(".") in blamed


@pytest.mark.parametrize("rule", PATTERNS, ids=lambda rule: f"{rule.path} {rule.message[:40]}")
def test_a_pattern_means_the_same_to_cel(rule: Rule) -> None:
    """Rust's regex stands in for RE2: both know no look-around, and `$` is the end of the text and not of a line."""
    pattern = PATTERN.search(rule.cel or "")
    assert pattern
    assert "'" not in pattern[1]
    adapter = TypeAdapter(Annotated[str, Field(pattern=f"^(?:{pattern[1]})$")])

    @settings(max_examples=100, deadline=None)
    @given(st.text("aB1/._-:= \n\0'\"$%()[]é", max_size=8) | st.sampled_from(SAMPLES))
    def agree(text: str) -> None:
        try:
            matches = adapter.validate_python(text) == text
        except ValidationError:
            matches = False
        assert rule.holds(text) is (not matches if (rule.cel or "").startswith("!") else matches)

    agree()


def test_the_rows_for_options_say_what_the_options_say() -> None:
    names = {name for group in options._OWNED.values() for name in group}
    names |= set(string.ascii_letters + string.digits)
    names |= {"touch-any-reload", "http-timeout", "cheaper-rss-limit-soft", "if-env", "subscribe-to", "fastrouter-ss"}
    names |= {"lazy-apps", "buffer-size", "harakiri", "max-requests", "S", "post-buffering", "reload-on-rss"}
    for name in sorted(names):
        data = {"spec": {"uwsgi": {"options": [{"name": name}]}}, "metadata": {"name": "shop"}}
        problems = broken_rules(data, frozenset())
        assert [sentence for _, sentence in problems] == [refusal for refusal in [refusal_of(name)] if refusal]


def test_a_message_with_values_is_an_expression_for_cel() -> None:
    rule = next(rule for rule in RULES if isinstance(rule, Rule) and rule.about == "processes.max")
    assert rule.message_expression() == (
        '"%s is below spec.tuning.processes.min (%s)".format([self.processes.max, self.processes.min])'
    )


def test_every_field_explains_itself() -> None:
    def nodes(node: dict[str, Any], path: str) -> list[tuple[str, dict[str, Any]]]:
        inner = {**node.get("properties", {}), **({"[]": node["items"]} if "items" in node else {})}
        found = [(f"{path}.{name}", each) for name, each in inner.items()]
        return found + [pair for where, each in found for pair in nodes(each, where)]

    fields = nodes(schema.json_schema()["properties"]["spec"], "spec")
    assert len(fields) > 70
    silent = [path for path, node in fields if not node.get("description", "").endswith(".")]
    assert [path for path in silent if not path.endswith("[]")] == []
    # A structural schema knows neither of these.
    assert [path for path, node in fields if {"$ref", "anyOf", "oneOf", "allOf"} & set(node)] == []
    # What a rule reads has a bound, or the API server refuses the rule as too costly.
    for path, node in fields:
        if node.get("type") == "string" and "enum" not in node:
            assert "maxLength" in node, path
        if node.get("type") == "array":
            assert "maxItems" in node, path


def test_paths_with_lists_find_every_entry() -> None:
    data = {"a": [{"b": 1}, {"c": 2}, {"b": 3}]}
    assert [(written(path), value) for path, value in values_at(data, "a[].b")] == [("a[0].b", 1), ("a[2].b", 3)]
