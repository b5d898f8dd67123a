"""Everything here is real: a kind cluster, the chart, the operator, nginx, uWSGI. `make e2e` brings it up.

No test touches another cluster than that one, and each has a namespace of its own. What failed shows its pods, Events,
decisions and logs.
"""

import fcntl
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The simulator and these helpers are imported as tests.…, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.e2e.cluster import CONTEXT, Cluster, missing
from tests.e2e.figures import Figures
from tests.e2e.place import Place
from tests.e2e.release import Release

HERE = Path(__file__).resolve().parent
CLUSTER = CONTEXT.removeprefix("kind-")


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    if sentence := missing():
        pytest.skip(f"NO CLUSTER: {sentence}")
    found = Cluster()
    for node in found.json("get", "nodes")["items"]:
        maker = node["spec"].get("providerID", "")
        assert maker.startswith(f"kind://docker/{CLUSTER}/"), (
            f"{CONTEXT} is not the kind cluster of this project: {maker}"
        )
    return found


@pytest.fixture(scope="session")
def release(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Installed by the first who asks, where tests run side by side."""
    release = Release.found_or_new(cluster)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "alone")
    mark = tmp_path_factory.getbasetemp().parent / f"release-{run}"
    with open(f"{mark}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if run == "alone" or not mark.exists():
            if release.install():
                release.restart()
            mark.touch()
    return release


@pytest.fixture
def namespace(cluster: Cluster, release: Release, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace with the name of the test, removed afterwards."""
    yield from _namespace(cluster, release, request, front=False)


@pytest.fixture
def front(cluster: Cluster, release: Release, request: pytest.FixtureRequest) -> Iterator[Place]:
    """The same, and what is made there is at localhost:8088."""
    yield from _namespace(cluster, release, request, front=True)


def _namespace(cluster: Cluster, release: Release, request: pytest.FixtureRequest, *, front: bool) -> Iterator[Place]:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())
    place = Place.fresh(cluster, "e2e-" + name[5:50].strip("-"), front=front)
    yield place
    if getattr(request.node, "failed", False):
        print(place.report())
        print("operator:\n" + release.logs())
    place.remove()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    return Figures(request.node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.when == "call" and report.failed:
        item.failed = True  # type: ignore[attr-defined]  # read by the fixture `namespace`
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    found = [
        f"{report.nodeid.partition('::')[2]}: {line}"
        for report in reports
        for name, line in getattr(report, "user_properties", ())
        if name == "figure" and report.when == "call"
    ]
    if found:
        terminalreporter.section("figures")
    for line in found:
        terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A rollout on a busy machine, and a load before and after it, take longer than a unit test may."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(420))
