"""The verbs that build the cluster say what is wrong with one that is already there."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make_kind(folder: Path, *, ready: bool) -> "subprocess.CompletedProcess[str]":
    """`make kind` with programs in front of it that know one cluster, whose API server answers or does not."""
    programs = {
        "kind": "echo uwsgi-autopilot",
        "kubectl": "exit 0" if ready else "exit 1",
        "sleep": "exit 0",
    }
    for name, does in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["make", "--no-print-directory", "kind"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_cluster_that_answers_is_used_again(tmp_path: Path) -> None:
    assert make_kind(tmp_path, ready=True).returncode == 0


@pytest.mark.parametrize("said", ["has not answered for a minute", "kind delete cluster --name uwsgi-autopilot"])
def test_a_cluster_that_never_answers_is_named_with_what_to_do(tmp_path: Path, said: str) -> None:
    done = make_kind(tmp_path, ready=False)
    assert done.returncode != 0
    assert said in done.stdout
