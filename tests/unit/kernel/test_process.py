"""Against real processes."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from uwsgi_autopilot.kernel import process

NOBODY = 2**22 + 1  # above the highest pid that Linux gives


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose name has a space and a bracket, with one child of its own; it prints that child's pid."""
    code = (
        "import os, subprocess, sys\n"
        "open('/proc/self/comm', 'w').write('a) b (c')\n"
        "inner = subprocess.Popen(['sleep', '60'])\n"
        "print(inner.pid, flush=True)\n"
        "sys.stdin.read()\n"
        "inner.kill(); inner.wait()\n"
    )
    started = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield started
    started.communicate()


def test_a_child_is_known_by_its_parent_and_the_other_way_round(child):
    inner = int(child.stdout.readline())
    assert process.children_of(child.pid) == [inner]
    assert process._children_by_parent(child.pid) == [inner]
    assert child.pid in process.children_of(os.getpid())
    assert process.parent_of(inner) == child.pid
    assert process.parent_of(child.pid) == os.getpid()


def test_start_ticks_stay_and_differ_from_those_of_a_later_process(child):
    child.stdout.readline()
    assert process.start_ticks(child.pid) == process.start_ticks(child.pid)
    own, later = process.start_ticks(os.getpid()), process.start_ticks(child.pid)
    assert own is not None
    assert later is not None
    assert own < later


def test_state_command_and_memory_of_a_process(child):
    child.stdout.readline()
    assert (process.command_of(child.pid) or "").startswith(f"{sys.executable} -c import os, subprocess")
    assert process.state_of(os.getpid()) == "R"
    pss, rss = process.pss_bytes(os.getpid()), process.rss_bytes(os.getpid())
    assert pss is not None
    assert rss is not None
    assert 1 << 20 < pss <= rss * 1.5


def test_cpu_seconds_grow_with_work():
    before = process.cpu_seconds(os.getpid())
    assert before is not None
    deadline = before + 0.05
    while (now := process.cpu_seconds(os.getpid()) or 0.0) < deadline:
        sum(range(10000))
    assert now >= deadline


def test_runqueue_seconds_are_scaled_up_from_some_of_the_threads():
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(7)]
    for each in threads:
        each.start()
    try:
        every = process.runqueue_seconds(os.getpid(), 1000)
        some = process.runqueue_seconds(os.getpid(), 1)
        tasks = sorted(map(int, os.listdir("/proc/self/task")))
        with open(f"/proc/self/task/{tasks[0]}/schedstat", encoding="ascii") as schedstat:
            waited_s = int(schedstat.read().split()[1]) / 1e9
    finally:
        stop.set()
        for each in threads:
            each.join()
    assert every is not None
    assert some is not None
    assert every >= 0.0
    # One thread was read and counts for all: that with the lowest id, which is the main one until ids start over.
    assert len(tasks) >= 8
    assert some == pytest.approx(waited_s * len(tasks), rel=0.5, abs=0.01)


def test_nobody_has_no_answers():
    assert process.children_of(NOBODY) == []
    for question in (process.parent_of, process.start_ticks, process.cpu_seconds, process.pss_bytes, process.state_of):
        assert question(NOBODY) is None
    assert process.runqueue_seconds(NOBODY, 8) is None
    assert process.command_of(NOBODY) is None


def test_a_zombie_has_a_state_but_no_command():
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert process.state_of(ended.pid) == "Z"
    assert process.command_of(ended.pid) == ""
    ended.wait()


def test_the_machine_was_busy_for_less_than_it_existed():
    cpu = process.machine_cpu()
    assert cpu is not None
    assert 0 < cpu.busy_s < cpu.total_s
    assert cpu.steal_s >= 0


def test_what_a_thread_writes_counts_for_it_alone_and_what_it_sends_does_not():
    before = process.written_bytes(os.getpid(), threading.get_native_id())
    reading, writing = os.pipe()
    ours, theirs = socket.socketpair()
    other: list[int | None] = []

    def send():
        ours.sendall(b"x" * 1000)
        other.append(process.written_bytes(os.getpid(), threading.get_native_id()))

    os.write(writing, b"12345")
    thread = threading.Thread(target=send)
    thread.start()
    thread.join()
    assert before is not None
    assert process.written_bytes(os.getpid(), threading.get_native_id()) == before + 5
    assert other == [0]
    for descriptor in (reading, writing):
        os.close(descriptor)
    ours.close()
    theirs.close()


def test_nobody_has_written_nothing_that_can_be_seen():
    assert process.written_bytes(NOBODY, NOBODY) is None
