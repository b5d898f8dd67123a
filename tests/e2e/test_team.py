"""A team installs its operator with the rights of `admin` in one namespace, and with no others.

The commands are those of docs/kubernetes.md. The tests' own operator, which looks after all namespaces, is gone
meanwhile: two of them for one namespace would undo each other's decisions.
"""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import CONTEXT, Cluster
from tests.e2e.place import IMAGE, Place, until
from tests.e2e.release import Release
from tests.e2e.shell import Shell
from tests.pages import commands

pytestmark = pytest.mark.alone

SPACE = "e2e-team-a"
# A group is what a person's certificate or their provider says; here it is every ServiceAccount of the namespace.
INSTEAD = {
    " team-a": f" {SPACE}",
    "--group=team-a": f"--group=system:serviceaccounts:{SPACE}",
    "--namespace autopilot-cluster": "--namespace e2e-autopilot-cluster",
}
ACCOUNT = f"system:serviceaccount:{SPACE}:uwsgi-autopilot"
SHOP = {
    "apiVersion": "uwsgi-autopilot.dev/v1alpha1",
    "kind": "UwsgiApp",
    "metadata": {"name": "shop"},
    "spec": {
        "image": IMAGE, "module": "wsgi:app", "replicas": 1, "health": {"path": "/healthz"},
        "tuning": {"pin": {"processes": 1, "threads": 3}},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def administrator(cluster: Cluster, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Has typed what the page asks of an administrator."""
    shell = Shell(cluster, "default", tmp_path_factory.mktemp("administrator"), INSTEAD)
    install, _, grant = commands("docs/kubernetes.md", "scope=Cluster")
    Place.fresh(cluster, SPACE)
    release.scale(0)
    try:
        shell(f"{install} --wait --timeout 2m")
        shell(grant)
        yield shell
    finally:
        cluster.helm("uninstall", "uwsgi-autopilot", f"--namespace={SPACE}", "--ignore-not-found")
        cluster.kubectl("delete", "namespace", SPACE, "--wait=false")
        cluster.helm("uninstall", "autopilot-cluster", "--namespace=e2e-autopilot-cluster", "--ignore-not-found")
        cluster.kubectl("delete", "namespace", "e2e-autopilot-cluster", "--ignore-not-found", "--wait=false")
        release.scale(2)


@pytest.fixture(scope="module")
def team(cluster: Cluster, administrator: Shell, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """With the token of a ServiceAccount of the namespace in the place of the administrator's certificate."""
    cluster.kubectl("create", "serviceaccount", "deployer", f"--namespace={SPACE}")
    token = cluster.kubectl("create", "token", "deployer", f"--namespace={SPACE}").strip()
    shell = Shell(cluster, SPACE, tmp_path_factory.mktemp("team"), INSTEAD)
    shell(f"kubectl config set-credentials team --token={token}")
    shell(f"kubectl config set-context {CONTEXT} --user=team")
    shell(f"kubectl config unset users.{CONTEXT}")
    assert f"{SPACE}:deployer" in shell("kubectl auth whoami")
    # The controller that aggregates cluster roles takes its moment.
    until("admin covers it", lambda: "yes" in shell("kubectl auth can-i create podtemplates || true"))
    return shell


@pytest.fixture(scope="module")
def installed(team: Shell) -> Shell:
    (install,) = commands("docs/kubernetes.md", "scope=Namespaced")
    team(f"{install} --timeout 2m")
    return team


def refused(shell: Shell, command: str) -> str:
    with pytest.raises(AssertionError) as caught:
        shell(command)
    return str(caught.value)


def test_the_team_may_do_nothing_outside_of_its_namespace(team: Shell) -> None:
    for what in ("get crd", "get podtemplates -A", "get clusterroles", "get pods -n default", "get uwsgiapps -A"):
        assert "is forbidden" in refused(team, f"kubectl {what}")
    assert "is forbidden" in refused(team, "helm install other chart/ --skip-crds --dry-run=server")


def test_an_application_is_served_tuned_and_left_serving(installed: Shell, cluster: Cluster) -> None:
    place = Place(cluster, SPACE)
    assert "Phase:          Succeeded" in installed("helm test uwsgi-autopilot --timeout 2m")
    installed(f"kubectl apply --filename=- <<< '{json.dumps(SHOP)}'")
    place.ready()
    answer = f"kubectl get --raw /api/v1/namespaces/{SPACE}/services/shop:80/proxy/healthz"
    assert "ok" in until("it answers", lambda: installed(answer))
    installed('kubectl patch uapp shop --type=merge -p \'{"spec": {"tuning": {"pin": {"threads": 5}}}}\'')
    until("the pin is served", lambda: place.shapes() == ["1x5"])
    assert "Pinned" in until("there is an Event", lambda: installed("kubectl events --for=uwsgiapp/shop"))

    # Its Role lets it; the administrator's policy, which goes by its name, does not.
    with pytest.raises(AssertionError, match="write only what belongs to a UwsgiApp"):
        place.kubectl("create", "configmap", "free", "--dry-run=server", f"--as={ACCOUNT}")

    installed("helm upgrade uwsgi-autopilot chart/ --reset-then-reuse-values --skip-crds --wait --timeout 2m")
    installed("helm uninstall uwsgi-autopilot --wait")

    assert installed("kubectl get roles,podtemplates,deployments -l app.kubernetes.io/managed-by=Helm -o name") == ""
    assert "ok" in installed(answer), "applications keep serving"
    installed("kubectl delete uapp shop")
    until("everything went with it", lambda: not place.pods())


def test_a_second_operator_for_the_namespace_is_refused(team: Shell) -> None:
    install = "helm install {} chart/ --set scope=Namespaced --skip-crds"
    team(install.format("first"))
    try:
        assert f"the release first in namespace {SPACE} already manages {SPACE}" in refused(
            team, install.format("second")
        )
    finally:
        team("helm uninstall first --wait")
