"""The verbs that build the cluster deal with one that is already there: used again, or recreated when it is broken."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_kind(folder: Path, *, answers: str) -> tuple["subprocess.CompletedProcess[str]", list[str]]:
    """`make kind` with programs in front of it that know one cluster, whose API server answers when the shell's
    `answers` is true; and what kind was asked to do beyond listing its clusters. `$asked` is the file with that."""
    asked = folder / "asked"
    asked.touch()
    programs = {
        "kind": f'[ "$1 $2" = "get clusters" ] && echo uwsgi-autopilot || echo "$*" >> {asked}',
        "kubectl": f"asked={asked}; {answers}",
        "sleep": "exit 0",
    }
    for name, does in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "kind"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, asked.read_text(encoding="utf-8").splitlines()


RECREATED = [
    "delete cluster --name uwsgi-autopilot",
    "create cluster --name uwsgi-autopilot --config kind-config.yaml --wait 2m",
]


def test_a_cluster_that_answers_is_used_again(tmp_path: Path) -> None:
    done, asked = make_kind(tmp_path, answers="true")
    assert (done.returncode, asked) == (0, [])


def test_a_cluster_that_a_restart_of_docker_has_broken_is_recreated_and_that_is_said(tmp_path: Path) -> None:
    done, asked = make_kind(tmp_path, answers='grep -q create "$asked"')
    assert (done.returncode, asked) == (0, RECREATED)
    assert "has not answered for a minute; the cluster is recreated" in done.stdout


def test_a_cluster_that_does_not_answer_either_when_it_is_new_is_named_with_where_to_look(tmp_path: Path) -> None:
    done, asked = make_kind(tmp_path, answers="false")
    assert (done.returncode, asked) == (2, RECREATED)
    assert "Look at: docker logs uwsgi-autopilot-control-plane" in done.stdout
