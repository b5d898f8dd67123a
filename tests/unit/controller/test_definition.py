"""The definition in the cluster is brought along, and never loses a field that applications may have."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.controller.fakes import FakeKube
from uwsgi_autopilot.api.crd import NAME, crd
from uwsgi_autopilot.controller.definition import apply_definition, fields_of


def schema_of(definition: dict[str, Any]) -> dict[str, Any]:
    (version,) = definition["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]
    return found


def of_an_object(definition: dict[str, Any]) -> None:
    schema_of(definition)["spec"]["properties"]["future"] = {
        "type": "object",
        "properties": {"mode": {"type": "string"}},
    }


def of_an_item(definition: dict[str, Any]) -> None:
    schema_of(definition)["spec"]["properties"]["env"]["items"]["properties"]["future"] = {"type": "string"}


def of_the_status(definition: dict[str, Any]) -> None:
    schema_of(definition)["status"]["properties"]["future"] = {"type": "string"}


def apply_to(live: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What is said, and the definition afterwards."""
    kube = FakeKube()
    live["metadata"] |= {"uid": "u", "generation": 4}
    kube.objects[live["kind"], None, NAME] = copy.deepcopy(live)  # type: ignore[index]
    kube.put = lambda body: kube.objects.setdefault(("applied", "", ""), body)  # type: ignore[method-assign]
    ours = crd()
    ours["metadata"] |= {"uid": "u", "namespace": None}
    said = asyncio.run(apply_definition(kube, ours))  # type: ignore[arg-type]
    return said, kube.objects.get(("applied", "", ""), kube.objects[live["kind"], None, NAME])  # type: ignore[index]


@pytest.mark.parametrize(
    ("add", "field"),
    [(of_an_object, "spec.future"), (of_an_item, "spec.env[].future"), (of_the_status, "status.future")],
)
def test_a_newer_one_stays_and_the_field_is_named(add: Callable[[dict[str, Any]], None], field: str) -> None:
    live = copy.deepcopy(crd())
    add(live)
    said, left = apply_to(live)
    assert fields_of(left) == fields_of(live)
    assert "left as it is" in said
    assert field in said


def test_an_older_one_is_brought_along() -> None:
    live = copy.deepcopy(crd())
    del schema_of(live)["spec"]["properties"]["rollout"]
    said, left = apply_to(live)
    assert "spec.rollout.mode" in fields_of(left)
    assert said.endswith("is this version's")
