"""What the operator may do: enough, and nothing that a person would be frightened by."""

from collections.abc import Iterator
from typing import Any

from tests.chart.helm import NAMESPACE, Object, name_of

# Wherever applications are.
EXPECTED = {
    ("uwsgi-autopilot.dev", "uwsgiapps"): {"get", "list", "watch"},
    ("uwsgi-autopilot.dev", "uwsgiapps/status"): {"patch"},
    ("uwsgi-autopilot.dev", "uwsgiapps/finalizers"): {"update"},
    ("", "pods"): {"get", "list", "watch", "patch"},
    ("apps", "replicasets"): {"get", "list", "watch"},
    ("autoscaling", "horizontalpodautoscalers"): {"list"},
    ("apps", "deployments"): {"get", "list", "watch", "create", "patch", "delete"},
    ("apps", "deployments/scale"): {"patch"},
    ("", "services"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "configmaps"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "serviceaccounts"): {"get", "list", "watch", "create", "patch", "delete"},
    ("policy", "poddisruptionbudgets"): {"get", "list", "watch", "create", "patch", "delete"},
    ("events.k8s.io", "events"): {"create", "patch"},
}
# In the release's namespace alone.
AT_HOME = {
    ("", "podtemplates"): {"get", "list", "watch"},
    ("", "configmaps"): {"get"},
    ("apps", "controllerrevisions"): {"get", "list", "create", "delete"},
    ("coordination.k8s.io", "leases"): {"get", "patch", "create"},
}


def rights(role: Object) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def roles_of(objects: list[Object], account: str) -> Iterator[Object]:
    """Roles that are bound to the ServiceAccount."""
    for binding in objects:
        if any(each["name"] == account for each in binding.get("subjects", ())):
            for role in objects:
                same_place = role["metadata"].get("namespace") == binding["metadata"].get("namespace")
                if (
                    role["kind"] == binding["roleRef"]["kind"]
                    and name_of(role) == binding["roleRef"]["name"]
                    and same_place
                ):
                    yield role


def test_everywhere(defaults: list[Object]) -> None:
    everywhere, home = roles_of(defaults, "autopilot")
    assert (everywhere["kind"], rights(everywhere)) == ("ClusterRole", EXPECTED)
    assert (home["metadata"]["namespace"], rights(home)) == (NAMESPACE, AT_HOME)


def test_in_listed_namespaces(render: Any) -> None:
    roles = list(roles_of(render({"operator": {"watchNamespaces": ["shop", "blog"]}}), "autopilot"))
    assert [role["kind"] for role in roles] == ["Role"] * 3
    assert {role["metadata"]["namespace"]: rights(role) for role in roles} == {
        NAMESPACE: AT_HOME,
        "shop": EXPECTED,
        "blog": EXPECTED,
    }


def test_of_leases_it_may_write_its_own_alone(defaults: list[Object]) -> None:
    _, home = roles_of(defaults, "autopilot")
    named = [rule for rule in home["rules"] if rule["resources"] == ["leases"] and rule["verbs"] != ["create"]]
    assert [rule["resourceNames"] for rule in named] == [["autopilot"]]
    (operator,) = (each for each in defaults if each["kind"] == "Deployment")
    assert "--lease=autopilot" in operator["spec"]["template"]["spec"]["containers"][0]["args"]


def test_the_operator_is_told_the_same_namespaces(render: Any) -> None:
    objects = render({"operator": {"watchNamespaces": ["shop", "blog"]}})
    (operator,) = (each for each in objects if each["kind"] == "Deployment")
    args = operator["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [arg for arg in args if "watch" in arg] == ["--watch-namespace=shop", "--watch-namespace=blog"]


def test_the_upgrade_of_the_definition_may_touch_that_one_alone(defaults: list[Object]) -> None:
    (role,) = roles_of(defaults, "autopilot-autopilot-system-crd")
    assert role["rules"] == [
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions"],
            "resourceNames": ["uwsgiapps.uwsgi-autopilot.dev"],
            "verbs": ["get", "patch"],
        }
    ]


def test_only_the_operator_and_the_upgrade_have_a_token(defaults: list[Object]) -> None:
    with_token = set()
    for each in defaults:
        pod = each.get("spec", {}).get("template", each.get("template", {})).get("spec", {})
        pod = each["spec"] if each["kind"] == "Pod" else pod
        if pod and pod.get("automountServiceAccountToken") is not False:
            with_token.add(each["kind"])
    assert with_token == {"Deployment", "Job"}
