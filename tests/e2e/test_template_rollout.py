"""A change of the chart's pod template, and twenty applications: a few at a time, and no further than two that fail."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.figures import Figures
from tests.e2e.place import Body, Place, until
from tests.e2e.release import ROOT, Release
from tests.e2e.shell import Shell
from tests.pages import commands
from uwsgi_autopilot.resources.labels import TEMPLATE

GRADUAL = tuple(f"shop-{number:02}" for number in range(18))
NAMES = (*GRADUAL, "with-next-change", "manual")
MODES = {"with-next-change": "WithNextChange", "manual": "Manual"}
SMALL = {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}

pytestmark = [pytest.mark.alone, pytest.mark.timeout(900)]


class Applications:
    """One pod each. `values`: of the chart, beyond its defaults."""

    def __init__(self, place: Place, release: Release) -> None:
        self.place = place
        self.release = release

    def upgrade(self, *values: str) -> None:
        sets = [word for value in values for word in ("--set", value)]
        self.release.cluster.helm(
            "upgrade", self.release.name, str(ROOT / "chart"), f"--namespace={self.release.place.name}",
            "--set", "rollout.minReadySeconds=0", *sets, "--wait", "--timeout=180s",
        )  # fmt: skip

    def deployments(self) -> dict[str, Body]:
        return {each["metadata"]["name"]: each for each in self.place.items("deployments")}

    def revisions(self) -> dict[str, str]:
        """The name of the template that each application is made from."""
        return {name: each["metadata"]["annotations"][TEMPLATE] for name, each in self.deployments().items()}

    def rolling(self) -> set[str]:
        return {name for name, each in self.deployments().items() if not _done(each)}

    def progress(self, name: str) -> str:
        return str(self.place.condition("Progressing", name)["reason"])


def _done(deployment: Body) -> bool:
    status, meta = deployment.get("status", {}), deployment["metadata"]
    pods = {status.get(each, 0) for each in ("replicas", "updatedReplicas", "availableReplicas")}
    return status.get("observedGeneration", 0) >= meta["generation"] and pods == {deployment["spec"]["replicas"]}


@pytest.fixture
def applications(cluster: Cluster, release: Release, namespace: Place) -> Iterator[Applications]:
    made = Applications(namespace, release)
    made.upgrade()
    for name in NAMES:
        rollout = {"mode": MODES.get(name, "Gradual")}
        pin = {"pin": {"processes": 1, "threads": 2}}
        namespace.make(name, wait=False, replicas=1, rollout=rollout, tuning=pin, resources=SMALL)
    for name in NAMES:
        namespace.ready(name, 300)
    yield made
    cluster.helm("upgrade", release.name, str(ROOT / "chart"), f"--namespace={release.place.name}", "--reset-values",
                 "--wait", "--timeout=180s")  # fmt: skip


def test_two_that_fail_stop_it_and_a_better_one_reaches_everybody(
    applications: Applications, release: Release, figures: Figures, tmp_path: Path
) -> None:
    place, before = applications.place, applications.revisions()
    (old,) = set(before.values())
    pods = {pod["metadata"]["uid"] for pod in place.items("pods")}

    applications.upgrade("pod.nginx.image.tag=nowhere")
    until("it is halted", lambda: applications.progress("shop-17") == "TemplateRolloutHalted", 240)
    taken = {name for name, revision in applications.revisions().items() if revision != old}
    assert taken == {"shop-00", "shop-01"}
    assert place.condition("Ready", "shop-00")["reason"] == "ImageNotPulled"
    assert place.condition("Available", "shop-00")["reason"] == "PreviousVersionServes"
    assert place.condition("Ready", "shop-17")["status"] == "True"
    assert "2 applications do not come up with it" in place.condition("Progressing", "shop-17")["message"]
    assert applications.progress("manual") == applications.progress("with-next-change") == "TemplateOutdated"
    # What served goes on serving: of the new pods none does.
    assert pods <= {pod["metadata"]["uid"] for pod in place.items("pods")}
    notes = [each["reason"] for each in place.items("events") if each["involvedObject"]["kind"] == "UwsgiApp"]
    assert notes.count("TemplateRolloutFailed") == 2
    assert 'template_rollout{state="waiting"} 16' in release.metrics()

    applications.upgrade("pod.annotations.better=yes")
    most = 0

    def everybody_has_it() -> bool:
        nonlocal most
        rolling = applications.rolling()
        most = max(most, len(rolling))
        taken = {name for name, revision in applications.revisions().items() if revision != old}
        return taken == set(GRADUAL) and not rolling

    until("all that are in the queue have the new template", everybody_has_it, 400, every=0.3)
    figures.append(f"{most} of {len(GRADUAL)} applications rolled out at once")
    assert most == 5

    place.change({"env": [{"name": "COLOUR", "value": "blue"}]}, "with-next-change")
    place.change({"env": [{"name": "COLOUR", "value": "blue"}]}, "manual")
    for name in MODES:
        until(f"{name} is rolled out", functools.partial(_blue, applications, name))
    assert applications.revisions()["with-next-change"] != old
    assert applications.revisions()["manual"] == old
    (ask,) = commands("docs/kubernetes.md", "kubectl annotate uapp shop --overwrite")
    Shell(release.cluster, place.name, tmp_path, {"uapp shop": "uapp manual"})(ask)
    until("manual has it, too", lambda: applications.revisions()["manual"] != old)


def _blue(applications: Applications, name: str) -> bool:
    deployment = applications.deployments()[name]
    app = next(each for each in deployment["spec"]["template"]["spec"]["containers"] if each["name"] == "app")
    return _done(deployment) and any(each["name"] == "COLOUR" for each in app["env"])
