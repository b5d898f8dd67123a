"""Who installs which part: an administrator what belongs to the cluster, a team what lies in its namespace."""

from typing import Any

from tests.chart.helm import NAMESPACE, Object, name_of
from tests.chart.test_rights import AT_HOME, EXPECTED, rights, roles_of

# Of Kubernetes 1.34's `admin`, as far as the operator's Roles have it: what nobody has to add.
ADMIN = {
    ("", "pods"), ("apps", "replicasets"), ("apps", "deployments"), ("apps", "deployments/scale"), ("", "services"),
    ("", "configmaps"), ("", "serviceaccounts"), ("policy", "poddisruptionbudgets"),
    ("autoscaling", "horizontalpodautoscalers"),
}  # fmt: skip


def kinds(objects: list[Object]) -> set[str]:
    return {each["kind"] for each in objects}


def test_together_the_two_parts_are_all_of_it(render: Any) -> None:
    part, team = render({"scope": "Cluster"}), render({"scope": "Namespaced"})
    assert kinds(part) | kinds(team) == kinds(render({"operator": {"watchNamespaces": ["shop"]}}))


def test_a_team_makes_nothing_outside_of_its_namespaces(render: Any) -> None:
    objects = render({"scope": "Namespaced"})
    assert {each["metadata"].get("namespace") for each in objects} == {NAMESPACE}
    assert [rights(role) for role in roles_of(objects, "autopilot")] == [EXPECTED, AT_HOME]
    objects = render({"scope": "Namespaced", "operator": {"watchNamespaces": ["shop", "blog"]}})
    assert {each["metadata"].get("namespace") for each in objects} == {NAMESPACE, "shop", "blog"}


def test_a_teams_operator_watches_its_own_namespace(render: Any) -> None:
    objects = render({"scope": "Namespaced"})
    (operator,) = (each for each in objects if each["kind"] == "Deployment")
    assert f"--watch-namespace={NAMESPACE}" in operator["spec"]["template"]["spec"]["containers"][0]["args"]
    (template,) = (each for each in objects if each["kind"] == "PodTemplate")
    assert template["metadata"]["annotations"]["uwsgi-autopilot.dev/watches"] == NAMESPACE


def test_admin_has_with_the_clusters_part_whatever_the_operators_roles_have(render: Any) -> None:
    """Nobody can make a Role with rights that they do not have themselves."""
    added: dict[tuple[str, str], set[str]] = {}
    for role in render({"scope": "Cluster"}):
        labels = role["metadata"]["labels"]
        if role["kind"] == "ClusterRole" and "rbac.authorization.k8s.io/aggregate-to-admin" in labels:
            for what, verbs in rights(role).items():
                added.setdefault(what, set()).update(verbs)
    for role in roles_of(render({"scope": "Namespaced"}), "autopilot"):
        for what, verbs in rights(role).items():
            assert what in ADMIN or verbs <= added[what], what
    assert {"create", "patch", "delete"} <= added["", "podtemplates"], "helm makes one"


def test_only_teams_that_install_get_more_than_their_applications(render: Any, defaults: list[Object]) -> None:
    def of(objects: list[Object]) -> list[str]:
        return [name_of(each) for each in objects if name_of(each).endswith("-install")]

    assert of(defaults) == []
    assert of(render({"scope": "Cluster"})) == ["autopilot-autopilot-system-install"]
    assert of(render({"scope": "Cluster", "rbac": {"aggregate": False}})) == []


def test_the_clusters_policies_bind_every_operator_of_their_name(render: Any) -> None:
    def who(values: dict[str, Any]) -> set[str]:
        policies = [each for each in render(values) if each["kind"] == "ValidatingAdmissionPolicy"]
        return {condition["expression"] for each in policies for condition in each["spec"]["matchConditions"]}

    account = (
        "request.userInfo.username.startsWith('system:serviceaccount:') && request.userInfo.username.endsWith(':{}')"
    )
    assert who({"scope": "Cluster"}) == {account.format("uwsgi-autopilot")}
    assert who({"scope": "Cluster", "operator": {"serviceAccount": {"name": "op"}}}) == {account.format("op")}
    assert who({}) == {f"request.userInfo.username == 'system:serviceaccount:{NAMESPACE}:autopilot'"}
    assert who({"scope": "Namespaced"}) == set()
