"""What the operator's token is worth: everything here is tried with it (`kubectl --as`), and nothing is carried out
(`--dry-run=server`)."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.place import IMAGE, Body, Place, until
from tests.e2e.release import Release
from uwsgi_autopilot.resources.labels import metadata
from uwsgi_autopilot.resources.objects import CHILDREN

FOREIGN = "somebody"


@pytest.fixture
def shop(namespace: Place) -> Place:
    """With an application, and what is none of the operator's business."""
    namespace.make(replicas=1)
    namespace.kubectl("create", "configmap", FOREIGN, "--from-literal=a=b")
    namespace.kubectl("create", "service", "clusterip", FOREIGN, "--tcp=80")
    namespace.kubectl("create", "deployment", FOREIGN, f"--image={IMAGE}", "--replicas=0")
    return namespace


class Token:
    def __init__(self, place: Place, release: Release) -> None:
        self.place = place
        self.account = f"system:serviceaccount:{release.place.name}:{release.name}"

    def __call__(self, *args: str, body: Body | None = None) -> str:
        """What the API server says; "" when it allows it."""
        given = ["--filename=-"] if body is not None else []
        text = json.dumps(body) if body is not None else None
        try:
            self.place.kubectl(*args, *given, "--dry-run=server", f"--as={self.account}", input=text)
        except AssertionError as error:
            return str(error)
        return ""

    def patch(self, what: str, patch: Any) -> str:
        kind = "json" if isinstance(patch, list) else "merge"
        return self("patch", *what.split(), f"--type={kind}", f"--patch={json.dumps(patch)}")


@pytest.fixture
def token(shop: Place, release: Release) -> Token:
    return Token(shop, release)


def owned(shop: Place, kind: str, name: str, **rest: Any) -> Body:
    meta = metadata("shop", shop.name, shop.app()["metadata"]["uid"], name)
    return {"apiVersion": CHILDREN[kind], "kind": kind, "metadata": meta, **rest}


def deployment(shop: Place, **pod: Any) -> Body:
    labels = {"x": "y"}
    container = {"name": "app", "image": IMAGE, **pod.pop("container", {})}
    spec = {
        "serviceAccountName": "other", "securityContext": {"runAsNonRoot": True}, "containers": [container], **pod,
    }  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": spec}
    return owned(shop, "Deployment", "other", spec={"selector": {"matchLabels": labels}, "template": template})


PRIVILEGED: list[tuple[dict[str, Any], str]] = [
    ({"hostPID": True}, "hostNetwork, hostPID and hostIPC: refused unless policy.allow.hostNamespaces"),
    ({"hostNetwork": True}, "policy.allow.hostNamespaces"),
    ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "hostPath volumes: refused unless policy.allow.hostPath"),
    ({"container": {"ports": [{"containerPort": 80, "hostPort": 80}]}}, "policy.allow.hostPorts"),
    ({"container": {"securityContext": {"privileged": True}}}, "policy.allow.privileged"),
    ({"container": {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}}, "policy.allow.privileged"),
    ({"container": {"securityContext": {"procMount": "Unmasked"}}, "hostUsers": False}, "policy.allow.privileged"),
    ({"container": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}}, "unconfined profile"),
    ({"container": {"livenessProbe": {"httpGet": {"host": "192.0.2.1", "port": 80}}}}, "a host in a probe"),
    ({"container": {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}}, "seLinuxOptions: refused"),
    (
        {"securityContext": {"runAsNonRoot": True, "sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
        "unsafe sysctls",
    ),
    ({"container": {"securityContext": {"runAsUser": 0}}}, "policy.allow.root"),
    ({"securityContext": {}}, "policy.allow.root"),
    ({"nodeName": "uwsgi-autopilot-control-plane"}, "policy.allow.nodeName"),
    ({"priorityClassName": "system-node-critical"}, "policy.allow.systemPriority"),
    ({"serviceAccountName": "default"}, "with the ServiceAccount that has the application's name"),
    (
        {"initContainers": [{"name": "x", "image": IMAGE, "securityContext": {"privileged": True}}]},
        "policy.allow.privileged",
    ),
]


def test_a_deployment_with_more_than_a_pod_of_its_own_is_refused(shop: Place, token: Token) -> None:
    assert token("create", body=deployment(shop)) == ""
    for pod, why in PRIVILEGED:
        assert why in token("create", body=deployment(shop, **pod)), pod
    live = {"spec": {"template": {"spec": {"hostPID": True}}}}
    assert "policy.allow.hostNamespaces" in token.patch("deployment shop", live)


def test_of_a_pod_only_our_annotations_and_only_of_our_pods(shop: Place, token: Token) -> None:
    (pod,) = (each["metadata"]["name"] for each in shop.pods())
    assert token.patch(f"pod {pod}", {"metadata": {"annotations": {"uwsgi-autopilot.dev/desired": "{}"}}}) == ""
    image = [{"op": "replace", "path": "/spec/containers/0/image", "value": "evil"}]
    assert "may change annotations alone" in token.patch(f"pod {pod}", image)
    assert "may change annotations alone" in token.patch(f"pod {pod}", {"metadata": {"labels": {"a": "b"}}})
    assert "may change annotations alone" in token.patch(f"pod {pod}", {"metadata": {"finalizers": ["a/b"]}})
    assert "its own alone" in token.patch(f"pod {pod}", {"metadata": {"annotations": {"a": "b"}}})
    shop.kubectl("annotate", "pod", pod, "theirs=1")
    assert "its own alone" in token.patch(f"pod {pod}", {"metadata": {"annotations": {"theirs": None}}})
    shop.kubectl("run", FOREIGN, f"--image={IMAGE}", f"--overrides={json.dumps(RESTRICTED)}")
    ours = {"metadata": {"annotations": {"uwsgi-autopilot.dev/desired": "{}"}}}
    assert "only pods of a UwsgiApp" in token.patch(f"pod {FOREIGN}", ours)
    assert "forbidden" in token("delete", "pod", pod)


RESTRICTED = {
    "spec": {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": FOREIGN, "image": IMAGE, "command": ["sleep", "300"],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
}  # fmt: skip


def test_of_everything_else_only_what_belongs_to_an_application(shop: Place, token: Token) -> None:
    free = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "free", "namespace": shop.name}}
    assert "write only what belongs to a UwsgiApp" in token("create", body=free)
    assert token("create", body=owned(shop, "ConfigMap", "free")) == ""
    change = {"data": {"a": "c"}}
    assert token.patch("configmap shop-promoted", change) == ""
    for name in (FOREIGN, "kube-root-ca.crt"):
        assert "change and delete only" in token.patch(f"configmap {name}", change)
    assert "change and delete only" in token("delete", "configmap", FOREIGN)
    stolen = {"metadata": {"ownerReferences": owned(shop, "ConfigMap", "x")["metadata"]["ownerReferences"]}}
    assert "change and delete only" in token.patch(f"configmap {FOREIGN}", stolen), "nothing is adopted"
    assert "change and delete only" in token.patch("serviceaccount default", {"metadata": {"labels": {"a": "b"}}})
    assert "change and delete only" in token("delete", "service", FOREIGN)
    assert "change and delete only" in token("delete", "deployment", FOREIGN)
    assert token("delete", "deployment", "shop") == ""
    assert "mount no token" in token("create", body=owned(shop, "ServiceAccount", "free"))
    assert token("create", body=owned(shop, "ServiceAccount", "free", automountServiceAccountToken=False)) == ""
    port = [{"port": 80}]
    taken = {"externalIPs": ["192.0.2.1"], "selector": {"uwsgi-autopilot.dev/app": "shop"}, "ports": port}
    assert "externalIPs" in token("create", body=owned(shop, "Service", "free", spec=taken))
    assert "externalIPs" in token("create", body=owned(shop, "Service", "free", spec={"ports": port}))


def test_scaling_is_for_deployments_of_applications(shop: Place, token: Token, cluster: Cluster) -> None:
    """kubectl reads the scale before it patches it, and the operator may not do that."""
    with cluster.proxy() as url:
        for name, why in (("shop", ""), (FOREIGN, "scale only Deployments of a UwsgiApp")):
            request = urllib.request.Request(
                f"{url}/apis/apps/v1/namespaces/{shop.name}/deployments/{name}/scale?dryRun=All",
                method="PATCH",
                data=b'{"spec": {"replicas": 0}}',
                headers={"Content-Type": "application/merge-patch+json", "Impersonate-User": token.account},
            )
            try:
                said = ""
                urllib.request.urlopen(request, timeout=30).close()
            except urllib.error.HTTPError as error:
                said = error.read().decode()
            assert why in said
            assert bool(why) is bool(said), said


def test_rbac_has_no_more_than_that(shop: Place, token: Token, release: Release) -> None:
    place = release.place
    for what in ("get secrets", "create pods/exec", "get pods/log", "create pods", "patch nodes", "create roles",
                 "list namespaces", "patch customresourcedefinitions", "create serviceaccounts/token",
                 "patch horizontalpodautoscalers"):  # fmt: skip
        verb, resource = what.split()
        kind, _, sub = resource.partition("/")
        more = [f"--subresource={sub}"] if sub else []
        asked = ["auth", "can-i", verb, kind, *more, f"--as={token.account}"]
        with pytest.raises(AssertionError):
            shop.kubectl(*asked)
    with pytest.raises(AssertionError):
        place.kubectl("auth", "can-i", "patch", "leases/other", f"--as={token.account}")
    place.kubectl("auth", "can-i", "patch", f"leases/{release.name}", f"--as={token.account}")


def test_the_author_of_a_manifest_reads_why(namespace: Place) -> None:
    namespace.make(replicas=1)
    before = namespace.json("deployment", "shop")["metadata"]["generation"]
    namespace.change({"template": {"spec": {"hostPID": True}}})

    until("it is refused", lambda: namespace.condition("Ready").get("reason") == "OverlayRefused")
    ready = namespace.condition("Ready")
    assert "spec.template.spec.hostPID: found true" in ready["message"]
    assert "refused unless the chart's value policy.allow.hostNamespaces is true" in ready["message"]
    assert namespace.json("deployment", "shop")["metadata"]["generation"] == before
