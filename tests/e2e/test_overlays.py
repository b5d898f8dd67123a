"""What merge.py makes of an overlay is what the API server's own strategic merge patch makes of it; one that cannot be
served is refused with a sentence."""

import functools
import io
import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import mergetable
from tests.e2e.cluster import Cluster
from tests.e2e.place import IMAGE, Place, until
from tests.e2e.release import Release
from uwsgi_autopilot.resources.merge import merge
from uwsgi_autopilot.resources.mergekeys import MERGE_KEYS

pytestmark = pytest.mark.e2e
DATA = yaml.safe_load((Path(__file__).parent / "overlays.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def place(cluster: Cluster) -> Iterator[Place]:
    """A namespace alone: no operator has a part in this."""
    name = "e2e-overlays"
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found")
    cluster.kubectl("create", "namespace", name)
    yield Place(cluster, name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_thirty_overlays_merge_as_the_api_server_merges_them(cluster: Cluster, place: Place) -> None:
    assert len(DATA["overlays"]) >= 30
    place.apply(deployment(DATA["base"]))
    path = f"/apis/apps/v1/namespaces/{place.name}/deployments/overlaid"
    different = []
    with cluster.proxy() as url:
        for row in DATA["overlays"]:
            patch = {"spec": {"template": row["overlay"]}}
            theirs = send(url + path, "PATCH", patch, "application/strategic-merge-patch+json")
            merged = merge(DATA["base"], row["overlay"], path="Deployment.spec.template")
            # Sent as a whole, so that the API server's defaults and its order of fields are on both sides.
            ours = send(url + path, "PUT", deployment(merged), "application/json")
            if ours["spec"]["template"] != theirs["spec"]["template"]:
                different.append(
                    f"{row['id']}\nours:   {ours['spec']['template']}\ntheirs: {theirs['spec']['template']}"
                )
    assert not different, "\n".join(different)


def test_the_merge_keys_are_those_of_this_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that a newer Kubernetes has learnt to merge does no harm before somebody overlays it; another key does."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO(cluster.kubectl("get", "--raw", "/openapi/v2")))
    monkeypatch.setattr(sys, "stdout", out)
    mergetable.main()
    made: dict[str, Any] = {}
    exec(out.getvalue(), made)  # the text of a module
    assert made["MERGE_KEYS"].items() >= MERGE_KEYS.items()


def test_an_overlay_that_cannot_be_served_is_refused_with_a_sentence(namespace: Place, release: Release) -> None:
    """The pod of the version before keeps serving, whatever is written, and no other application is touched by it."""
    namespace.make(replicas=1)
    (old,) = namespace.pods()
    # The API server takes 10,000 levels, and whoever watches gets them.
    deep = '{"a": ' * 9_000 + "1" + "}" * 9_000
    for name, spec in (("new", '{"nodeSelectors": {"disk": "ssd"}}'), ("deep", deep)):
        namespace.kubectl("create", "--filename=-", input=application(name, f'{{"spec": {spec}}}'))
    for row in DATA["refused"]:
        # A replacement: a patch would take null for "remove this".
        namespace.kubectl("replace", "--filename=-", input=application("shop", json.dumps(row["overlay"])))
        until(f"{row['id']}: {row['sentence']}", functools.partial(refused, namespace, "shop", row["sentence"]), 30)
        available = namespace.condition("Available")
        assert (available["status"], available["reason"]) == ("True", "PreviousVersionServes"), row["id"]
    for name, sentence in (("new", 'unknown field "spec.template.spec.nodeSelectors"'), ("deep", "at most 32 levels")):
        until(f"{name}: {sentence}", functools.partial(refused, namespace, name, sentence), 30)
        assert not namespace.pods(name)
    namespace.kubectl("replace", "--filename=-", input=application("shop", "{}"))
    namespace.ready(seconds=30)
    assert [pod["metadata"]["uid"] for pod in namespace.pods()] == [old["metadata"]["uid"]]
    assert "Traceback" not in release.logs()


def application(name: str, template: str) -> str:
    """`template`: JSON as text, because Python's own gives up after 1,000 levels."""
    resources = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
    spec = {"image": IMAGE, "module": "wsgi:app", "replicas": 1, "health": {"path": "/healthz"}, "resources": resources}
    body = {"apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp", "metadata": {"name": name}}
    return json.dumps({**body, "spec": {**spec, "template": "HERE"}}).replace('"HERE"', template)


def refused(place: Place, name: str, sentence: str) -> bool:
    told = place.kubectl("get", "uwsgiapp", name, "--output=jsonpath={.status.conditions}")
    conditions = {each["type"]: each for each in json.loads(told or "[]")}
    found = conditions.get("Ready", {})
    return found.get("reason") == "OverlayRefused" and sentence in found["message"]


def deployment(template: dict[str, Any]) -> dict[str, Any]:
    """Without pods: only how it is written matters."""
    labels = DATA["base"]["metadata"]["labels"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "overlaid"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def send(url: str, method: str, body: dict[str, Any], kind: str) -> dict[str, Any]:
    """The object as it would be stored. Raises HTTPError when the API server refuses it."""
    request = urllib.request.Request(
        f"{url}?dryRun=All", data=json.dumps(body).encode(), method=method, headers={"Content-Type": kind}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
