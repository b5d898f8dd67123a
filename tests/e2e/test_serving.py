"""Installed, applied, served: what a person does in the first five minutes."""

import urllib.request

import pytest

from tests.e2e.place import URL, Place, until
from tests.e2e.release import Release


def fetched(path: str) -> tuple[int, str]:
    with urllib.request.urlopen(URL + path, timeout=10) as answer:
        return answer.status, answer.read().decode()


@pytest.mark.alone
def test_an_application_is_served_at_localhost(front: Place) -> None:
    front.make()
    status, text = until("it answers", lambda: fetched("/"))
    assert status == 200
    assert "uWSGI" in text
    columns = front.kubectl("get", "uapp").split("\n")[0].split()
    assert columns == ["NAME", "READY", "SHAPE", "DESIRED", "RPS", "P99", "MODE", "AGE"]
    head, row = front.kubectl("get", "uapp", "--output=wide").splitlines()
    assert head.split()[-2:] == ["SERVED", "TUNED"]
    assert row.split()[-2:] == ["RolledOut", "NoLoad"]


def test_helm_test_is_content(release: Release) -> None:
    assert "Succeeded" in release.test()


def test_static_files_come_from_the_image_without_the_application(namespace: Place) -> None:
    namespace.make(replicas=1, nginx={"static": [{"path": "/files", "dir": "/app"}]})
    assert "import flask" in until("the file comes", lambda: namespace.fetch("/files/wsgi.py"))


def test_what_somebody_changes_by_hand_is_put_right(namespace: Place) -> None:
    namespace.make(replicas=1)
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
    namespace.make(replicas=1, env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    namespace.make(replicas=1, env=[{"name": "A", "value": "1"}])
    names = [each["name"] for pod in namespace.pods() for each in pod["spec"]["containers"][0]["env"]]
    assert "A" in names
    assert "B" not in names
