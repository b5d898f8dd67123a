"""When the command is gone nothing of it stays, and nobody else is harmed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.component.local.running import Local, wait_for
from uwsgi_autopilot.kernel.process import children_of, start_ticks, state_of

pytestmark = pytest.mark.component


@pytest.fixture
def sleeping() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Two processes that know nothing of us."""
    started = [subprocess.Popen(["sleep", "600"]) for _ in range(2)]
    yield started
    for each in started:
        each.kill()
        each.wait()


def test_a_strangers_shell_in_the_run_directory_survives(local):
    run = local()
    run.served()
    (directory,) = run.files()
    shell = subprocess.Popen(["sh", "-c", "read line"], cwd=directory, stdin=subprocess.PIPE)
    try:
        run.process.kill()
        run.process.wait()
        wait_for(lambda: not run.processes() and not run.files())
        assert shell.poll() is None
    finally:
        shell.communicate()


@pytest.mark.parametrize("agent_too", [False, True], ids=["the command", "the command and the agent"])
def test_what_is_left_and_does_not_listen_is_killed(local, agent_too):
    """Stopped processes follow no signal and no parent's death: nginx, uWSGI's master and its workers."""
    run = local("--shape", "2x2")
    run.served()
    agent = _agent_of(run.process.pid)
    below = _below(agent)
    assert len(below) == 3, "a master and two workers"
    (nginx,) = [pid for pid in children_of(run.process.pid) if _name(pid) == "nginx"]
    # It listens before it starts its worker.
    workers = wait_for(lambda: children_of(nginx))
    assert len(workers) == 1
    for pid in (*below, nginx, *workers):
        os.kill(pid, signal.SIGSTOP)
    run.process.kill()
    if agent_too:
        os.kill(agent, signal.SIGKILL)
    run.process.wait()
    wait_for(lambda: not run.processes() and not run.files())


def test_a_generation_that_came_later_is_known_too(local, tmp_path):
    """With the agent killed beside the command its uWSGI is nobody's child: the janitor must have heard of it."""
    run = local("--load", "clients=64,path=/?ms=100")
    run.served()
    agent = _agent_of(run.process.pid)
    first = set(_below(agent))
    wait_for(lambda: run.in_service() > 2 and not first & set(_below(agent)), 120)
    for pid in _below(agent):
        with suppress(ProcessLookupError):  # a worker that another change ended just now
            os.kill(pid, signal.SIGSTOP)
    run.process.kill()
    os.kill(agent, signal.SIGKILL)
    run.process.wait()
    wait_for(lambda: not run.processes() and not run.files())


def test_a_uwsgi_that_the_command_never_saw_is_known_too(local):
    run = local()
    agent = _with_an_unseen_uwsgi(run)
    os.kill(agent, signal.SIGKILL)  # before the command: a living agent would lead the janitor to its children
    run.process.kill()
    run.process.wait()
    wait_for(lambda: not run.processes() and not run.files())


def test_a_uwsgi_that_the_command_never_saw_is_reaped(local):
    """Killed with the agent alone, it becomes the command's child, and its worker too."""
    run = local()
    agent = _with_an_unseen_uwsgi(run)
    unseen = _below(agent)
    os.kill(agent, signal.SIGKILL)
    for pid in unseen:
        with suppress(ProcessLookupError):  # one of the first, which the agent had yet to reap
            os.kill(pid, signal.SIGKILL)
    run.process.send_signal(signal.SIGCONT)
    wait_for(lambda: all(state_of(pid) is None for pid in unseen))


def test_a_stopped_load_is_killed(local):
    run = local("--load", "clients=1,path=/")
    run.served()
    wait_for(lambda: run.requests() > 20)  # the load has started: the agent itself asks a few times
    (load,) = [pid for pid in children_of(run.process.pid) if _runs(pid, "uwsgi_autopilot.loadgen")]
    os.kill(load, signal.SIGSTOP)
    run.process.kill()
    run.process.wait()
    wait_for(lambda: not run.processes() and not run.files())


def test_a_process_that_was_given_the_pid_of_one_of_ours_is_left_alone(tmp_path, sleeping):
    ours, strange = sleeping
    (tmp_path / "run").mkdir()
    told = f"{ours.pid} {start_ticks(ours.pid)}\n{strange.pid} {start_ticks(strange.pid) - 1}\n"
    _janitor(tmp_path / "run", told)
    assert ours.wait(60) == -signal.SIGKILL
    assert strange.poll() is None
    assert not (tmp_path / "run").exists()


def test_a_line_that_was_cut_short_names_nobody(tmp_path, sleeping):
    ours, other = sleeping
    (tmp_path / "run").mkdir()
    _janitor(tmp_path / "run", f"{ours.pid} {start_ticks(ours.pid)}\n{other.pid} {start_ticks(other.pid)}")
    assert ours.wait(60) == -signal.SIGKILL
    assert other.poll() is None


def _janitor(run: Path, told: str) -> None:
    command = [sys.executable, "-m", "uwsgi_autopilot.local.janitor", str(run)]
    subprocess.run(command, input=told, text=True, check=True, timeout=120)


def _with_an_unseen_uwsgi(run: Local) -> int:
    """The agent's pid. The command, which looks twice a second, is stopped, and so is the uWSGI that came then."""
    run.served()
    agent = _agent_of(run.process.pid)
    (first,) = children_of(agent)
    run.process.send_signal(signal.SIGSTOP)
    os.killpg(first, signal.SIGKILL)
    # Known by its worker: one of the first, ended, may for a moment be the agent's child beside the new master.
    (master,) = wait_for(lambda: [pid for pid in children_of(agent) if pid != first and children_of(pid)])
    for pid in (master, *children_of(master)):
        os.kill(pid, signal.SIGSTOP)
    return agent


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _runs(pid: int, module: str) -> bool:
    return module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _agent_of(command: int) -> int:
    """Of the command's children the one that has started uWSGI."""
    (agent,) = [pid for pid in children_of(command) if any(_name(child) == "uwsgi" for child in children_of(pid))]
    return agent


def _below(pid: int) -> list[int]:
    children = children_of(pid)
    return [*children, *(below for child in children for below in children_of(child))]
