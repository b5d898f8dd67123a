"""kubectl and helm for the tests: always the one cluster that they may use, whatever context a person has chosen."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CONTEXT = "kind-uwsgi-autopilot"
SECONDS = 180


def missing() -> str:
    """What there is to do before these tests can run, in one sentence; "" when nothing."""
    for program in ("docker", "kind", "helm", "kubectl"):
        if not shutil.which(program):
            return f"{program} is not installed"
    command = ["kubectl", "--context", CONTEXT, "get", "--raw", "/readyz"]
    if subprocess.run(command, capture_output=True, check=False, timeout=30).returncode:
        return f"{CONTEXT} does not answer: make cluster"
    return ""


class Cluster:
    def kubectl(self, *args: str, input: str | None = None) -> str:
        """Standard output. Raises AssertionError with kubectl's own words."""
        return _run(["kubectl", "--context", CONTEXT, *args], input)

    def helm(self, *args: str) -> str:
        return _run(["helm", "--kube-context", CONTEXT, *args], None)

    def json(self, *args: str) -> Any:
        return json.loads(self.kubectl(*args, "-o", "json"))

    def on_node(self, node: str, command: str) -> str:
        """In a shell of that node, which kind makes a container of its name: its standard output."""
        return _run(["docker", "exec", node, "sh", "-c", command], None)

    @contextmanager
    def proxy(self) -> Iterator[str]:
        """The API server, without credentials, at a free port of this machine."""
        command = ["kubectl", "--context", CONTEXT, "proxy", "--port=0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield "http://" + process.stdout.readline().split()[-1]
            finally:
                process.terminate()


def _run(command: list[str], text: str | None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout
