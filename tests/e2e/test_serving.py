"""Installed, applied, served: what a person does in the first five minutes."""

import urllib.request

from tests.e2e.place import URL, Place, until
from tests.e2e.release import Release


def fetched(path: str) -> tuple[int, str]:
    with urllib.request.urlopen(URL + path, timeout=10) as answer:
        return answer.status, answer.read().decode()


def test_an_application_is_served_at_localhost(namespace: Place) -> None:
    namespace.make()
    status, text = until("it answers", lambda: fetched("/"))
    assert status == 200
    assert "uWSGI" in text
    columns = namespace.kubectl("get", "uapp").split("\n")[0].split()
    assert columns == ["NAME", "READY", "SHAPE", "WANTED", "RPS", "P99", "MODE", "AGE"]


def test_helm_test_is_content(release: Release) -> None:
    assert "Succeeded" in release.test()


def test_static_files_come_from_the_image_without_the_application(namespace: Place) -> None:
    namespace.make(nginx={"static": [{"path": "/files", "dir": "/app"}]})
    status, text = until("the file comes", lambda: fetched("/files/wsgi.py"))
    assert status == 200
    assert "import flask" in text


def test_what_somebody_changes_by_hand_is_put_right(namespace: Place) -> None:
    namespace.make()
    namespace.kubectl("delete", "poddisruptionbudget", "shop")
    namespace.kubectl(
        "patch", "service", "shop", "--type=merge", '--patch={"spec":{"selector":{"uwsgi-autopilot.dev/app":"x"}}}'
    )
    until("the budget is back", lambda: len(namespace.items("poddisruptionbudgets")) == 1)
    until(
        "the selector is back",
        lambda: namespace.json("service", "shop")["spec"]["selector"]["uwsgi-autopilot.dev/app"] == "shop",
    )


def test_a_foreign_object_of_the_same_name_is_left_alone(namespace: Place) -> None:
    namespace.kubectl("create", "service", "clusterip", "shop", "--tcp=80:80")
    namespace.make(wait=False)
    until("it says so", lambda: namespace.condition("Ready").get("reason") == "NameTaken")
    assert "uwsgi-autopilot.dev/app" not in namespace.json("service", "shop")["metadata"].get("labels", {})


def test_what_is_removed_from_the_manifest_goes_from_the_pods(namespace: Place) -> None:
    namespace.make(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    namespace.make(env=[{"name": "A", "value": "1"}])
    names = [each["name"] for pod in namespace.pods() for each in pod["spec"]["containers"][0]["env"]]
    assert "A" in names
    assert "B" not in names


def test_kubectl_scale_and_a_free_deployment_are_respected(namespace: Place) -> None:
    def replicas() -> int:
        return int(namespace.json("deployment", "shop")["spec"]["replicas"])

    namespace.make(replicas=1)
    namespace.kubectl("scale", "uwsgiapp/shop", "--replicas=2")
    until("two pods", lambda: replicas() == 2)
    namespace.kubectl(
        "patch", "uwsgiapp", "shop", "--type=json", '--patch=[{"op": "remove", "path": "/spec/replicas"}]'
    )
    namespace.kubectl("scale", "deployment/shop", "--replicas=3")
    namespace.change({"env": [{"name": "A", "value": "1"}]})
    namespace.ready()
    assert replicas() == 3
