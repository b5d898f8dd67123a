"""How one line of /proc/PID/task/TID/syscall is read. The lines were copied from real uWSGI workers."""

import pytest

from uwsgi_autopilot.kernel.census import _BY_MACHINE, Doing, doing
from uwsgi_autopilot.kernel.corethreads import images_in

SHARED = """\
560000000000-560000001000 r-xp 00000000 08:01 11 /venv/bin/python3.11
560000001000-560000002000 rw-p 00001000 08:01 11 /venv/bin/python3.11
560000100000-560000200000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
7f0000200000-7f0000210000 rw-s 00000000 00:01 9 /dev/zero (deleted)
7f0000300000-7f0000400000 r-xp 00000000 08:01 12 /lib/libpython3.11.so.1.0
7f0000400000-7f0000450000 rw-p 00100000 08:01 12 /lib/libpython3.11.so.1.0
7f0000450000-7f0000460000 rw-p 00000000 00:00 0
7f0000500000-7f0000580000 r-xp 00000000 08:01 13 /venv/lib/pyuwsgi.cpython-311-x86_64-linux-gnu.so
7f0000580000-7f0000590000 rw-p 00080000 08:01 13 /venv/lib/pyuwsgi.cpython-311-x86_64-linux-gnu.so
7f0000590000-7f00005a0000 rw-p 00000000 00:00 0
"""
# One program that is uWSGI and has Python inside: both locks lie in the same file.
STATIC = """\
000000400000-000000a00000 r-xp 00000000 08:01 11 /usr/bin/uwsgi
000000a00000-000000a80000 rw-p 00600000 08:01 11 /usr/bin/uwsgi
000000a80000-000000b00000 rw-p 00000000 00:00 0
0000020000000-0000021000000 rw-p 00000000 00:00 0 [heap]
"""
X86 = _BY_MACHINE["x86_64"]


def look(line: str) -> Doing:
    return doing(line.encode().split(), X86, images_in(SHARED, "/venv/bin/python3.11"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("running", Doing.RUNNING, id="on a CPU"),
        pytest.param(
            "232 0xd 0x7ffd4ebf46b4 0x1 0xffffffff 0x0 0x64 0x7ff 0x7f2", Doing.IDLE, id="waits for a request"
        ),
        pytest.param(
            "281 0xd 0x7ffd4ebf46b4 0x1 0xffffffff 0x0 0x8 0x7ff 0x7f2", Doing.IDLE, id="the same by epoll_pwait"
        ),
        pytest.param(
            "232 0xd 0x7ffd4ebf46b4 0x3fe 0xffffffff 0x0 0x64 0x7ff 0x7f2", Doing.IO, id="select.epoll of the app"
        ),
        pytest.param(
            "232 0xd 0x7ffd4ebf46b4 0x1 0x3e8 0x0 0x64 0x7ff 0x7f2", Doing.IO, id="an event loop with a timer"
        ),
        pytest.param("202 0x7f0000200000 0x6 0x0 0x0 0x1 0x64 0x7ff 0x7f2", Doing.IDLE, id="thunder lock"),
        pytest.param("202 0x7f0000200000 0x0 0x2 0x0 0x1 0x64 0x7ff 0x7f2", Doing.IDLE, id="thunder lock, no PI"),
        pytest.param(
            "202 0x7f0000590f00 0x80 0x2 0x0 0x0 0x64 0x7ff 0x7f2", Doing.IDLE, id="accept mutex without thunder"
        ),
        pytest.param("202 0x7f000044e6f0 0x89 0x0 0x7ff0 0x0 0xffffffff 0x7f 0x7f", Doing.INTERPRETER_LOCK, id="GIL"),
        pytest.param(
            "202 0x7f00004556f4 0x89 0x0 0x7ff0 0x0 0xffffffff 0x7f 0x7f", Doing.INTERPRETER_LOCK, id="GIL in .bss"
        ),
        pytest.param("202 0x7f000044e6f8 0x80 0x2 0x0 0x0 0x0 0x7f 0x7f", Doing.INTERPRETER_LOCK, id="the GIL's mutex"),
        pytest.param(
            "202 0x560000100960 0x189 0x0 0x0 0x0 0xffffffff 0x7f 0x7f", Doing.APPLICATION_LOCK, id="lock on the heap"
        ),
        pytest.param(
            "202 0x7f0000000f30 0x189 0x0 0x0 0x0 0xffffffff 0x7f 0x7f", Doing.APPLICATION_LOCK, id="lock in an arena"
        ),
        pytest.param(
            "202 0x7f0000000f30 0x89 0x0 0x7ff0 0x0 0xffffffff 0x7f 0x7f", Doing.APPLICATION_LOCK, id="with timeout"
        ),
        pytest.param(
            "202 0x7f0000200080 0x109 0x0 0x0 0x0 0xffffffff 0x7f 0x7f", Doing.APPLICATION_LOCK, id="multiprocessing"
        ),
        pytest.param(
            "202 0x7f0000000f30 0x80 0x2 0x0 0x0 0x0 0x7f 0x7f", Doing.APPLICATION_LOCK, id="a C library's mutex"
        ),
        pytest.param("7 0x7f00 0x1 0x64 0x0 0x0 0x0 0x7ff 0x7f2", Doing.IO, id="poll"),
        pytest.param("230 0x1 0x1 0x7ffd 0x0 0x0 0x0 0x7ff 0x7f2", Doing.IO, id="clock_nanosleep"),
        pytest.param("45 0xd 0x7f 0x1 0x0 0x0 0x0 0x7ff 0x7f2", Doing.IO, id="recv"),
        pytest.param("-1 0x7ffd 0x7f2", Doing.IO, id="a page that comes from disk"),
    ],
)
def test_one_look(line, expected):
    assert look(line) is expected


def test_where_uwsgi_and_python_are_one_file_the_seen_interpreter_lock_tells_its_mutex_from_the_accept_mutex():
    images = images_in(STATIC, "/usr/bin/uwsgi")

    def see(line: str) -> Doing:
        return doing(line.encode().split(), X86, images)

    assert see("202 0xa5b8f0 0x89 0x0 0x7ff0 0x0 0xffffffff 0x7f 0x7f") is Doing.INTERPRETER_LOCK
    assert see("202 0xa5b8f8 0x80 0x2 0x0 0x0 0x0 0x7f 0x7f") is Doing.INTERPRETER_LOCK
    assert see("202 0xa90f00 0x80 0x2 0x0 0x0 0x0 0x7f 0x7f") is Doing.IDLE


def test_numbers_of_system_calls_differ_on_arm():
    images = images_in(SHARED, "/venv/bin/python3.11")
    arm = _BY_MACHINE["aarch64"]
    assert doing(b"22 0xd 0x7f 0x1 0xffffffff 0x0 0x8 0x7ff 0x7f2".split(), arm, images) is Doing.IDLE
    assert doing(b"98 0x560000100960 0x189 0x0 0x0 0x0 0x0 0x7f 0x7f".split(), arm, images) is Doing.APPLICATION_LOCK
    assert doing(b"202 0xd 0x7f 0x1 0x0 0x0 0x8 0x7ff 0x7f2".split(), arm, images) is Doing.IO  # accept


def test_on_musl_there_is_no_census():
    assert not images_in(SHARED + "7f0000600000-7f0000610000 r-xp 0 08:01 14 /lib/ld-musl-x86_64.so.1\n", "/x").known


def test_maps_that_name_neither_python_nor_the_program_give_no_census():
    assert not images_in("560000100000-560000200000 rw-p 00000000 00:00 0 [heap]\n", "/x").known
