"""The committed definition is the one that the models and rules make, and it is one that an API server takes.

What an API server really makes of it is asked in tests/e2e/test_crd.py.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from uwsgi_autopilot.api.crd import crd, crd_text
from uwsgi_autopilot.api.rules import RULES
from uwsgi_autopilot.cli import main

COMMITTED = Path(__file__).parents[3] / "chart/crds/uwsgiapps.yaml"


def nodes_in(node: dict[str, Any]) -> list[dict[str, Any]]:
    below = [*node.get("properties", {}).values()]
    below += [node[key] for key in ("items", "additionalProperties") if isinstance(node.get(key), dict)]
    return [node, *(each for inner in below for each in nodes_in(inner))]


SCHEMA = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
NODES = nodes_in(SCHEMA)
SPEC = SCHEMA["properties"]["spec"]["properties"]


def test_the_committed_file_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == crd_text(), (
        "write it again: uwsgi-autopilot crd print > chart/crds/uwsgiapps.yaml"
    )


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crd", "print"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == crd()


def test_every_rule_is_in_it_once() -> None:
    expressions = [row["rule"] for node in NODES for row in node.get("x-kubernetes-validations", ())]
    assert sorted(expressions) == sorted(rule.cel for rule in RULES if rule.cel)


def test_it_is_structural() -> None:
    """Every node says its type once, and nothing is said in ways that the API server refuses."""
    known_typeless = {"x-kubernetes-int-or-string"}
    assert [node for node in NODES if "type" not in node and not known_typeless & set(node)] == []
    refused = ("$ref", "anyOf", "title", "const")
    assert [node for node in NODES if any(word in node for word in refused)] == []
    assert [node for node in NODES if node.get("additionalProperties") is False] == []


def test_kubectl_explain_has_a_sentence_for_every_field() -> None:
    for node in NODES[0]["properties"]["spec"], NODES[0]["properties"]["status"]:
        for each in nodes_in(node):
            bare = [name for name, field in each.get("properties", {}).items() if "description" not in field]
            assert bare == []


@pytest.mark.parametrize(
    ("parent", "field", "default"),
    [
        ("service", "type", "ClusterIP"),
        ("service", "port", 80),
        ("health", "path", "/"),
        ("nginx", "bodySize", "10Mi"),
        ("nginx", "readTimeout", "60s"),
        ("tuning", "mode", "Auto"),
        ("tuning", "memoryGuard", True),
        ("tuning", "parking", False),
    ],
)
def test_a_default_below_a_parent_that_nobody_wrote(parent: str, field: str, default: object) -> None:
    """The API server fills in a nested default only where the parent has one too."""
    assert SPEC[parent]["default"] == {}
    assert SPEC[parent]["properties"][field]["default"] == default


def test_what_is_optional_has_no_default() -> None:
    """`replicas` above all: with a default no autoscaler could own it."""
    for name in ("replicas", "image", "chdir"):
        assert "default" not in SPEC[name]
    for name in ("pin", "start", "maxConnections"):
        assert "default" not in SPEC["tuning"]["properties"][name]


def test_enum_words_are_texts_when_yaml_reads_the_committed_file() -> None:
    """`True` and the like become truth values where the quotes are missing."""
    committed = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))
    nodes = nodes_in(committed["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    words = [word for node in nodes for word in node.get("enum", ())]
    assert {"Disabled", "True"} <= set(words)
    assert [word for word in words if not isinstance(word, str)] == []
