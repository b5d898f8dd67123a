"""Everything here is real: a kind cluster, the chart, the operator, nginx, uWSGI. `make e2e` brings it up.

No test touches another cluster than that one, and each has a namespace of its own. What failed shows its pods, Events,
decisions and logs.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The simulator and these helpers are imported as tests.…, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.e2e.kubectl import CONTEXT, Kubectl

from tests.e2e.place import NODE_PORT, Place, until
from tests.e2e.release import Release

CLUSTER = CONTEXT.removeprefix("kind-")
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
_counts: list[str] = []


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    missing = [program for program in ("docker", "kind", "helm", "kubectl") if not shutil.which(program)]
    if missing:
        pytest.skip(f"NO CLUSTER: {missing[0]} is not installed")
    command = ["kubectl", "--context", CONTEXT, "get", "--raw", "/readyz"]
    if subprocess.run(command, capture_output=True, check=False, timeout=30).returncode:
        pytest.skip(f"NO CLUSTER: {CONTEXT} does not answer; make cluster")
    found = Kubectl()
    for node in json.loads(found("get", "nodes", "--output=json"))["items"]:
        maker = node["spec"].get("providerID", "")
        assert maker.startswith(f"kind://docker/{CLUSTER}/"), (
            f"{CONTEXT} is not the kind cluster of this project: {maker}"
        )
    return found


@pytest.fixture(scope="session")
def release(kubectl: Kubectl) -> Release:
    release = Release.found_or_new(kubectl)
    release.install()
    release.restart()
    return release


@pytest.fixture
def place(kubectl: Kubectl, release: Release, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace with the name of the test, removed afterwards, and the port of localhost:8088 free."""
    name = "e2e-" + request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()[5:50].rstrip("-")
    kubectl("delete", "namespace", name, "--ignore-not-found")
    until(f"node port {NODE_PORT} is free", lambda: not _port_taken(kubectl), 60)
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, RESTRICTED)
    place = Place(kubectl, name)
    yield place
    if getattr(request.node, "failed", False):
        print(place.report())
        print("operator:\n" + release.logs())
    kubectl("delete", "namespace", name, seconds=180)


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
        item.failed = True  # type: ignore[attr-defined]  # read by the fixture `place`
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _counts:
        terminalreporter.section("figures")
    for line in _counts:
        terminalreporter.write_line(line)


def _port_taken(kubectl: Kubectl) -> bool:
    services = json.loads(kubectl("get", "services", "--all-namespaces", "--output=json"))["items"]
    return any(port.get("nodePort") == NODE_PORT for each in services for port in each["spec"].get("ports", ()))
