"""What merge.py makes of an overlay is what the API server's own strategic merge patch makes of it."""

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
from tests.e2e.place import Place
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
