"""The file that says what a thread sleeps in, of a real process: kept open, it tells of that thread and no other."""

import os
import subprocess

import pytest

from uwsgi_autopilot.kernel.census import _Syscall

if not os.path.exists("/proc/self/syscall"):
    pytest.skip("NOT TESTED: this kernel has no /proc/PID/syscall", allow_module_level=True)


@pytest.fixture
def sleeper():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"it runs\n")
        process.stdin.flush()
        process.stdout.readline()
        yield process


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("keep", [True, False])
def test_it_is_read_again_each_time_until_the_thread_has_ended(sleeper, keep):
    pid = sleeper.pid
    before = descriptors()
    found = _Syscall(f"/proc/{pid}/task/{pid}/syscall", keep=keep)
    assert found.words()
    assert found.words(), "from its beginning, though it was read before"
    assert (descriptors() == before) is not keep
    sleeper.kill()
    sleeper.wait()
    assert found.words() == []
    found.close()
    assert len(descriptors()) == len(before)


def test_a_thread_that_is_not_there_leaves_nothing_open():
    before = descriptors()
    assert _Syscall(f"/proc/{2**22 + 1}/task/1/syscall", keep=True).words() == []
    assert descriptors() == before
