"""The operator as a process whose API server does not answer, or which knows none: what it writes."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.component


def test_all_of_it_is_json_from_the_first_line_to_the_last(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        there = tmp_path / "kubeconfig"
        there.write_text(yaml.safe_dump(kubeconfig(server)))
        lines, status = written_by_an_operator(there, stop=True)
    assert status == 0
    assert "waiting for the API server" in lines[0]["message"]
    assert lines[-1]["message"] == "ended"
    assert all(each.keys() >= {"ts", "level", "message"} for each in lines)


def test_the_sentence_with_which_it_ends_is_json_too(tmp_path: Path) -> None:
    lines, status = written_by_an_operator(tmp_path / "none", stop=False)
    assert status == 1
    assert (lines[-1]["level"], "kubeconfig" in lines[-1]["message"]) == ("error", True)


def kubeconfig(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "users": [{"name": "a", "user": {}}],
    }  # fmt: skip


def written_by_an_operator(config: Path, *, stop: bool) -> tuple[list[dict[str, Any]], int]:
    """(its lines, its exit status). stop: it is told to after its first one, and does not end by itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uwsgi_autopilot.cli", "operator", "--namespace=n", "--template=t",
               "--skeletons=s", "--agent-image=a", f"--port={port}", "--log-format=json"]  # fmt: skip
    environment = {**os.environ, "KUBECONFIG": str(config), "HOME": str(config.parent)}
    environment.pop("KUBERNETES_SERVICE_HOST", None)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as operator:
        try:
            assert operator.stderr is not None
            first = operator.stderr.readline()
            if stop:
                operator.send_signal(signal.SIGTERM)
            rest = operator.stderr.read()
            return [json.loads(line) for line in (first + rest).splitlines()], operator.wait(60)
        finally:
            operator.kill()
