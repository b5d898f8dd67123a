"""A cluster of its own, with the operator beside it and nobody who would run a pod: what the fuzzing needs."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.reliability import kindcluster
from tests.reliability.api import Api, Body, Refused
from tests.reliability.kindcluster import WEB
from tests.reliability.operatorprocess import Operator
from uwsgi_autopilot.controller.kube import path_of
from uwsgi_autopilot.resources.objects import CHILDREN

NAME = "uwsgi-autopilot-fuzz"
FOLDER = Path(".cache/fuzz")
LATE_SECONDS = 180.0
# Of a condition: the objects are not what the manifest asks for.
REFUSED = ("SpecInvalid", "OverlayRefused", "ApplyRefused", "ImageMissing")
BROKEN = ("InternalError", "ApiServerFails", "TemplateInvalid")
# What another application of the same manifest has otherwise.
_OWN = frozenset({"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"})
_GIVEN = frozenset({"clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort"})


class TooLate(Exception):
    """One sentence."""


class Fuzzed:
    """Applications on the cluster: change one, wait until the operator has dealt with it, see what became of it."""

    def __init__(self, api: Api, operator: Operator) -> None:
        self.api, self.operator = api, operator
        self._read = 0

    async def apply(self, name: str, spec: Any) -> str | None:
        """As `kubectl replace`, strictly. None: accepted; else what the API server says."""
        before = await self.api.get("UwsgiApp", WEB, name)
        body: Body = {
            "apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp",
            "metadata": {"name": name, "namespace": WEB}, "spec": spec,
        }  # fmt: skip
        method, path = "POST", path_of("UwsgiApp", WEB)
        if before is not None:
            method, path = "PUT", path_of("UwsgiApp", WEB, name)
            body["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        for _ in range(5):
            try:
                await self.api.send(method, path, body, query={"fieldValidation": "Strict"})
            except Refused as error:
                if ": 409 " in str(error) and before is not None:
                    # The operator writes the status at the same time.
                    again = await self.api.get("UwsgiApp", WEB, name)
                    assert again is not None
                    body["metadata"]["resourceVersion"] = again["metadata"]["resourceVersion"]
                    continue
                return str(error)
            return None
        raise TooLate(f"{name}: somebody else wrote it five times in a row")

    async def dealt_with(self, name: str) -> Body:
        """The application, once its status speaks of its last generation. Raises TooLate."""
        deadline = time.monotonic() + LATE_SECONDS
        while time.monotonic() < deadline:
            found = await self.api.get("UwsgiApp", WEB, name)
            if (
                found is not None
                and (found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"]
            ):
                return found
            if not self.operator.running:
                # As a kubelet does: it ends by itself when a busy machine keeps it from renewing its Lease in time.
                await self.operator.start()
            await asyncio.sleep(0.1)
        raise TooLate(f"{name}: the operator said nothing of its last change within {LATE_SECONDS:.0f} s")

    async def children(self, name: str) -> dict[str, Body]:
        """By kind, as any application of the same manifest should have them. Of the ConfigMaps those that the pods
        use."""
        found: dict[str, Body] = {}
        for kind in CHILDREN:
            if kind != "ConfigMap" and (each := await self.api.get(kind, WEB, name)) is not None:
                found[kind] = each
        if "Deployment" in found:
            volumes = found["Deployment"]["spec"]["template"]["spec"]["volumes"]
            config = next(each["configMap"]["name"] for each in volumes if each["name"] == "config")
            held = await self.api.get("ConfigMap", WEB, config)
            if held is not None:
                found["ConfigMap"] = held
        return {kind: _plain(each, name) for kind, each in found.items()}

    def new_words(self) -> str:
        """What the operator has logged since this was last asked."""
        words = self.operator.words()
        new, self._read = words[self._read :], len(words)
        return new


def problem_of(app: Body, name: str) -> tuple[str, str] | None:
    """(reason, message) why its objects are not what it asks for; None: they are."""
    for each in app["status"]["conditions"]:
        if each["type"] == "Ready" and (each["reason"] in REFUSED or each["reason"] in BROKEN):
            return each["reason"], each["message"].replace(name, "NAME")
    return None


def _plain(body: Body, name: str) -> Body:
    """Without what belongs to this one, and with NAME for its name."""
    kept: Body = _without({key: each for key, each in body.items() if key != "status"}, name)
    kept.get("metadata", {}).get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    return kept


def _without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {
            re.sub(re.escape(name), "NAME", key): _without(each, name)
            for key, each in value.items()
            if key not in _OWN and key not in _GIVEN and each not in ({}, [], None)
        }
    if isinstance(value, list):
        return [_without(each, name) for each in value]
    if isinstance(value, str):
        # A ConfigMap is named by its content, in which the application's name stands.
        return re.sub(r"NAME-config-[0-9a-f]{10}", "NAME-config", value.replace(name, "NAME"))
    return value


def _empty_log() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "operator.log").unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def fuzz_stage() -> AsyncIterator[Fuzzed]:
    """Raises kindcluster.Missing."""
    kindcluster.NAME, kindcluster.CONTEXT, kindcluster.NODE = NAME, f"kind-{NAME}", f"{NAME}-control-plane"
    await asyncio.to_thread(_empty_log)
    installed = await asyncio.to_thread(kindcluster.up)
    async with Api() as api:
        await api.delete("UwsgiApp", WEB, propagationPolicy="Background")
        operator = Operator(installed, FOLDER)
        await operator.start()
        try:
            yield Fuzzed(api, operator)
        finally:
            await operator.stop()
