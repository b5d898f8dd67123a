"""The commands of README.md and docs/kubernetes.md as their reader types them, in a namespace of the test's own."""

import sys
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.place import Place, until
from tests.e2e.release import Release
from tests.e2e.shell import Shell
from tests.pages import commands


@pytest.mark.alone
def test_the_way_of_the_readme_to_a_tuned_application(front: Place, cluster: Cluster, tmp_path: Path) -> None:
    """From `kubectl apply` on: `make e2e` has made the cluster, and test_upgrade.py types `helm install`."""
    shell = Shell(cluster, front.name, tmp_path, {".venv/bin/locust": f"{sys.executable} -m locust"})
    make, install, *steps = commands("README.md", "kubectl wait --for")
    assert (make, install) == ("make cluster", "helm install uwsgi-autopilot chart/")
    for step in steps:
        shell(step)
    front.kubectl("get", "--raw", f"/api/v1/namespaces/{front.name}/services/demo:80/proxy/healthz")
    logged = front.kubectl("logs", "--selector=uwsgi-autopilot.dev/app=demo", "--container=nginx", "--tail=200")
    assert '"GET /healthz HTTP/1.1" 200 ' in logged, "the access log, as nginx users know it"
    (load,) = commands("README.md", "locust -f")
    (watch,) = commands("README.md", "kubectl get uapp -w")
    shown = shell(f"{load.replace('2m', '40s')} & timeout 35 {watch} || true; wait")
    assert shown.splitlines()[0].split() == ["NAME", "READY", "SHAPE", "DESIRED", "RPS", "P99", "MODE", "AGE"]
    until("a shape was found", lambda: any(each["kind"] == "promote" for each in front.decisions("demo")))
    described, events, stored = (shell(each) for each in commands("README.md", "kubectl describe uapp demo"))
    for text in (described, events, stored):
        assert "FirstJump" in text
    pin, off, look = commands("README.md", "kubectl patch")
    shell(pin)
    until("the pin is served", lambda: front.shapes("demo") == ["4x8"])
    assert "4x8" in until("it is shown", lambda: "4x8" in (text := shell(look)) and text)
    shell(off)
    until("it is off", lambda: front.condition("Tuned", "demo").get("reason") == "Disabled")


def test_the_commands_of_the_page(namespace: Place, cluster: Cluster, release: Release, tmp_path: Path) -> None:
    """On an application that has been pinned, so that there is a decision to look at. Of the block that uninstalls only
    `kubectl delete uapp`: test_upgrade.py types `helm uninstall`, and the definition is everybody's here."""
    namespace.make(replicas=1, tuning={"pin": {"processes": 1, "threads": 3}})
    namespace.change({"tuning": {"pin": {"processes": 1, "threads": 4}}})
    until("every pod has it", lambda: namespace.shapes() == ["1x4"])
    shell = Shell(cluster, namespace.name, tmp_path)
    (objects,) = commands("docs/kubernetes.md", "kubectl get deployment,service")
    made = {line.split("/")[0] for line in shell(f"{objects} -o name").splitlines()}
    assert {"deployment.apps", "service", "poddisruptionbudget.policy", "configmap", "pod"} == made
    (templates,) = commands("docs/kubernetes.md", "kubectl get podtemplates")
    assert "uwsgi-autopilot" in shell(templates)
    table, described = (shell(each) for each in commands("docs/kubernetes.md", "kubectl get uapp\n"))
    assert "1x4" in table
    assert "Pinned" in described
    (decisions,) = commands("docs/kubernetes.md", "range .status.decisions")
    assert "change Pinned: " in until("it is written", lambda: shell(decisions))
    events, log = commands("docs/kubernetes.md", "involvedObject.name=shop")
    assert "Pinned" in until("there is an Event", lambda: "Pinned" in (text := shell(events)) and text)
    operators = Shell(cluster, release.place.name, tmp_path, {"lease uwsgi-autopilot": f"lease {release.name}"})
    assert "Pinned" in operators(log)
    leader, forward, fetch = commands("docs/kubernetes.md", "kubectl port-forward")
    forward = f"{leader}\n{forward.replace(' 8080 &', ' 18080:8080 >&2 &')}"
    asked = f"for _ in $(seq 50); do {fetch.replace(':8080', ':18080')} && break; sleep 0.2; done"
    page = operators(f"{forward} {asked}; kill %1")
    assert "uwsgi_autopilot_operator_applications" in page
    (rights,) = commands("docs/kubernetes.md", "kubectl auth can-i")
    account = f"system:serviceaccount:{release.place.name}:{release.name}"
    allowed = shell(rights.replace("system:serviceaccount:default:uwsgi-autopilot", account))
    assert "uwsgiapps" in allowed
    (_, delete, _) = commands("docs/kubernetes.md", "kubectl delete uapp shop")
    shell(delete)
    until("everything went with it", lambda: not namespace.pods())
