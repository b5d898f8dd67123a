"""Everything here is real: a kind cluster, the chart, the operator, nginx, uWSGI. `make e2e` brings it up.

No test touches another cluster than that one, and each has a namespace of its own.
"""

import shutil
import subprocess

import pytest

from tests.e2e.kubectl import CONTEXT, Kubectl


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    missing = [program for program in ("docker", "kind", "helm", "kubectl") if not shutil.which(program)]
    if missing:
        pytest.skip(f"NO CLUSTER: {missing[0]} is not installed")
    command = ["kubectl", "--context", CONTEXT, "get", "--raw", "/readyz"]
    if subprocess.run(command, capture_output=True, check=False, timeout=30).returncode:
        pytest.skip(f"NO CLUSTER: {CONTEXT} does not answer; make cluster")
    return Kubectl()
