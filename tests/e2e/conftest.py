"""Everything here is real: a kind cluster, the chart, the operator, nginx, uWSGI. `make e2e` brings it up.

No test touches another cluster than that one, and each has a namespace of its own. What failed shows its pods, Events,
decisions and logs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The simulator and these helpers are imported as tests.…, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.e2e.cluster import CONTEXT, Cluster, missing
from tests.e2e.place import NODE_PORT, Place, until
from tests.e2e.release import Release

HERE = Path(__file__).resolve().parent
CLUSTER = CONTEXT.removeprefix("kind-")
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
_counts: list[str] = []


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
def release(cluster: Cluster) -> Release:
    release = Release.found_or_new(cluster)
    release.install()
    release.restart()
    return release


@pytest.fixture
def namespace(cluster: Cluster, release: Release, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace with the name of the test, removed afterwards, and the port of localhost:8088 free."""
    name = "e2e-" + request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()[5:50].rstrip("-")
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found")
    until(f"node port {NODE_PORT} is free", lambda: not _port_taken(cluster), 60)
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, RESTRICTED)
    place = Place(cluster, name)
    yield place
    if getattr(request.node, "failed", False):
        print(place.report())
        print("operator:\n" + release.logs())
    # Pods take their time to drain; the next test waits only for the port.
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines for the end of the run: counts and times that the test found."""
    lines: list[str] = []
    yield lines
    _counts.extend(f"{request.node.name}: {line}" for line in lines)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.when == "call" and report.failed:
        item.failed = True  # type: ignore[attr-defined]  # read by the fixture `namespace`
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _counts:
        terminalreporter.section("figures")
    for line in _counts:
        terminalreporter.write_line(line)


def _port_taken(cluster: Cluster) -> bool:
    services = cluster.json("get", "services", "--all-namespaces")["items"]
    return any(port.get("nodePort") == NODE_PORT for each in services for port in each["spec"].get("ports", ()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A rollout on a busy machine, and a load before and after it, take longer than a unit test may."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(420))
