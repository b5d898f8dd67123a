"""The API server and local mode judge every manifest alike: the same verdict, about the same field, in the same words.

Manifests are sent as a dry run with fieldValidation=Strict, which is what `kubectl apply` does.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.api.test_wrong_manifests import BASE, ROWS, merged, text_of
from uwsgi_autopilot.api import schema
from uwsgi_autopilot.api.crd import NAME, crd_text
from uwsgi_autopilot.api.manifest import parse_manifest
from uwsgi_autopilot.errors import SpecError

ROOT = Path(__file__).parents[2]
APPS = "/apis/uwsgi-autopilot.dev/v1alpha1/namespaces/default/uwsgiapps"

# What the API server reads before it looks at a schema: it says no, and names no path, or another one.
UNREADABLE = {
    "another version": "spec",
    "no kind": "",
    "metadata that is a text": "",
    "no metadata": "metadata.name",
    "a name that is a number": "ObjectMeta.name",
    "a label that is a number": "ObjectMeta.labels",
    "the same key twice": "",
}


class Answer:
    """status: HTTP's. body: the object, or the API server's Status."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.body = body

    def objections(self) -> list[tuple[str, str]]:
        """(path, sentence) of each."""
        if self.status == 400:
            message = str(self.body["message"])
            paths = re.findall(r'unknown field "([^"]+)"|struct field (\S+)', message)
            return [(first or second, message) for first, second in paths] or [("", message)]
        causes = self.body.get("details", {}).get("causes", ())
        return [(str(each.get("field", "")).removeprefix("."), without_value(each["message"])) for each in causes]


def without_value(message: str) -> str:
    """`Invalid value: "object": the sentence` -> `the sentence`."""
    return re.sub(r'^Invalid value: (?:"(?:[^"\\]|\\.)*"|[^":]+): ', "", message)


@pytest.fixture(scope="module")
def server(cluster: Any) -> Iterator[Any]:
    """Send a manifest's text as it stands, get an Answer. The definition in the cluster is the current one."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=crd_text())
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=30s")
    with cluster.proxy() as base:

        def send(text: str) -> Answer:
            request = urllib.request.Request(
                f"{base}{APPS}?dryRun=All&fieldValidation=Strict",
                data=text.encode(),
                headers={"Content-Type": "application/yaml"},
                method="POST",
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return Answer(answer.status, json.load(answer))
            except urllib.error.HTTPError as error:
                with error:
                    return Answer(error.code, json.load(error))

        yield send


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
def test_a_wrong_manifest(server: Any, row: dict[str, Any]) -> None:
    answer = server(text_of(row))
    assert answer.status in (400, 422)
    objections = answer.objections()
    wanted = UNREADABLE.get(row["id"], row["path"])
    assert any(same_place(wanted, path) for path, _ in objections), objections
    if row["rule"]:
        with pytest.raises(SpecError) as caught:
            parse_manifest(text_of(row), "shop.yaml")
        ours = caught.value.problems[0][1]
        # The API server says which value it found by itself.
        assert any(
            ours == theirs or ours.startswith(f"{theirs}, found ") or same_twice(ours, theirs)
            for _, theirs in objections
        ), objections


def same_place(ours: str, theirs: str) -> bool:
    theirs = theirs.replace("limits.nvidia.com/gpu", "limits[nvidia.com/gpu]")
    # What stands in a mapping where a list was expected is unknown below the list's field.
    if theirs == ours or theirs.startswith(f"{ours}."):
        return True
    # An entry that is there twice: the API server names the entry, or its list, and not the key in it.
    entry = re.fullmatch(r"(.*)\[\d+\]\.\w+", ours)
    return entry is not None and theirs in (ours.rpartition(".")[0], entry[1])


def same_twice(ours: str, theirs: str) -> bool:
    """CEL cannot say which entry is there twice."""
    return theirs.startswith("expected each ") and ours.startswith(f"{theirs},")


@pytest.mark.parametrize("path", ["tests/unit/api/smallest.yaml", "tests/unit/api/full.yaml", "app/uwsgiapp.yaml"])
def test_a_right_manifest_gets_the_same_defaults(server: Any, path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    answer = server(text)
    assert answer.status == 201, answer.body
    assert without_empty(answer.body["spec"]) == without_empty(schema.completed(yaml.safe_load(text))["spec"])


def without_empty(value: Any) -> Any:
    """A list or mapping with nothing in it is the same as none."""
    if isinstance(value, dict):
        inner = {key: without_empty(each) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each not in ({}, [])}
    return value


def test_a_field_without_a_value_is_absent(server: Any) -> None:
    patch = {"spec": {"tuning": {"processes": {"max": 4}}}}
    text = yaml.safe_dump(merged(BASE, patch)).replace("max: 4", "max: 4\n    pin:\n    start:")
    answer = server(text)
    assert answer.status == 201, answer.body
    assert parse_manifest(text, "shop.yaml").tuning.pin is None
    assert "pin" not in answer.body["spec"]["tuning"]


def test_kubectl_explains_the_fields(cluster: Any, server: Any) -> None:
    text = cluster.kubectl("explain", "uwsgiapp.spec.tuning")
    assert "Never" not in text  # that is one level further down
    for words in ("pin\t<Object>", "Keep exactly this shape", "enum: Auto, Recommend, Disabled"):
        assert words in text
    assert "Never more processes than this." in cluster.kubectl("explain", "uwsgiapp.spec.tuning.processes")
