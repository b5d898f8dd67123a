"""An installation of an earlier commit, under load: brought to this one, its operator taken back, and forward again.

The earlier commit is built from the repository's history, so `make upgrade` needs a whole clone.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import CONTEXT, Cluster
from tests.e2e.figures import Figures
from tests.e2e.place import IMAGE, Place, until
from tests.e2e.release import ROOT, Release
from tests.e2e.traffic import Traffic
from uwsgi_autopilot.api.crd import NAME as CRD

# The first whole one whose agents and operators speak as today's do (STATE_VERSION 2, no process ids).
FROM = "e76deba22d154e6db267530b67041971018a8788"
TAG = "earlier"
EARLIER = ("operator.image.tag=earlier", "pod.agent.image.tag=earlier")

pytestmark = [pytest.mark.upgrade, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its chart; its images are in the cluster."""
    folder = tmp_path_factory.mktemp("earlier")
    packed = subprocess.run(["git", "archive", FROM], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=packed.stdout, check=True)
    image = f"uwsgi-autopilot:{TAG}"
    for command in (
        ["docker", "build", "--quiet", "--target", "operator", "--tag", image, str(folder)],
        ["kind", "load", "docker-image", "--name", CONTEXT.removeprefix("kind-"), image],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
    return folder / "chart"


class Installation:
    def __init__(self, cluster: Cluster, release: Release) -> None:
        self.cluster = cluster
        self.release = release

    def bring(self, chart: Path, *values: str) -> None:
        sets = [word for value in values for word in ("--set", value)]
        self.cluster.helm("upgrade", "--install", self.release.name, str(chart), "--create-namespace", "--reset-values",
                          f"--namespace={self.release.place.name}", *sets, "--wait", "--timeout=170s")  # fmt: skip


@pytest.fixture
def installation(cluster: Cluster, release: Release, earlier: Path) -> Iterator[Installation]:
    """The earlier commit, with its own definition."""
    release.uninstall()
    cluster.kubectl("delete", "crd", CRD)
    found = Installation(cluster, release)
    found.bring(earlier, *EARLIER)
    yield found
    found.bring(ROOT / "chart")


def test_forward_back_and_forward_again(
    installation: Installation, earlier: Path, front: Place, figures: Figures
) -> None:
    front.make(image=IMAGE, tuning={"processes": {"max": 4}})
    until("it is polled", lambda: front.shape())
    with Traffic("/io?ms=20") as load:
        before = front.pods()
        installation.bring(ROOT / "chart")
        _all_new_and_tuned(front, before)

        # Its operator is taken back, and finds agents of tomorrow.
        before = front.pods()
        installation.bring(earlier, "operator.image.tag=earlier")
        _all_new_and_tuned(front, before)

        before = front.pods()
        installation.bring(ROOT / "chart")
        _all_new_and_tuned(front, before)
    figures.append(str(load.count))
    load.nothing_lost()


def _all_new_and_tuned(front: Place, before: list[dict]) -> None:
    """The pod template is another one each time. The newest pods are polled and understood."""
    old = {pod["metadata"]["uid"] for pod in before}
    until(
        "all pods are of the other version",
        lambda: (
            front.condition("Ready").get("reason") == "RolledOut"
            and not old & {pod["metadata"]["uid"] for pod in front.pods()}
        ),
        240,
    )
    until("they are understood", lambda: front.condition("Tuned").get("reason", "Agent")[:5] != "Agent", 60)
    assert front.shape()
