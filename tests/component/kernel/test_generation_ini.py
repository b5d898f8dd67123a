"""What a real uWSGI makes of the generated ini."""

import json
import os
import signal

import pytest

from uwsgi_autopilot.kernel.process import children_of, parent_of, state_of

pytestmark = pytest.mark.component

ECHO_APP = """
import json, os, resource, uwsgi

def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)

def app(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps({
        "options": {name: text(value) for name, value in uwsgi.opt.items()},
        "cwd": os.getcwd(),
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "tag": os.environ.get("TAG", ""),
    }).encode()]
"""

ATEXIT_APP = """
import atexit, concurrent.futures, os, time

HERE = os.path.dirname(os.path.abspath(__file__))
POOL = concurrent.futures.ThreadPoolExecutor(1)

def leave(mark):
    with open(os.path.join(HERE, f"{mark}-{os.getpid()}"), "w"):
        pass

def task():
    time.sleep(0.3)
    leave("done")

atexit.register(leave, "ended")

def app(environ, start_response):
    POOL.submit(task)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


def echoed(server) -> dict:
    return json.loads(server.get("/"))


def test_the_shape_in_the_stats_is_the_one_asked_for(start_uwsgi):
    server = start_uwsgi("2x3", ceiling=5)
    stats = server.stats()
    assert stats.pid == server.process.pid
    assert len(stats.workers) == 5
    assert len(stats.live_workers) == 2
    assert {each.threads for each in stats.workers} == {3}
    assert sorted(server.workers()) == sorted(children_of(server.process.pid))


def test_a_ceiling_of_one_starts(start_uwsgi):
    assert len(start_uwsgi("1x1").stats().workers) == 1


def test_values_reach_uwsgi_as_the_person_wrote_them(start_uwsgi):
    server = start_uwsgi(
        "1x1",
        application=ECHO_APP,
        options=(
            ("log-format", "%(method) 100%% done"),
            ("procname-prefix-spaced", "shop%"),
            ("env", "TAG=$(HOME)-x"),
            ("max-fd", "5000"),
        ),
    )
    seen = echoed(server)
    assert seen["options"]["log-format"] == "%(method) 100% done"
    assert seen["options"]["procname-prefix-spaced"] == "shop%"
    assert seen["tag"] == f"{os.environ['HOME']}-x"
    assert seen["descriptors"] == 5000
    assert seen["cwd"] == str(server.directory)  # which has a percent sign and a space in it


@pytest.mark.parametrize("lazy", ["true", "false"], ids=["lazy-apps", "preforked"])
@pytest.mark.parametrize("shim", [True, False], ids=["shim", "tear-down"])
@pytest.mark.parametrize("threads", [1, 3])
def test_atexit_functions_run_and_executors_finish_when_workers_end(start_uwsgi, shim, lazy, threads):
    server = start_uwsgi(f"2x{threads}", application=ATEXIT_APP, options=(("lazy-apps", lazy),), shim=shim)
    workers = server.workers()
    asked = {int(server.get("/")) for _ in range(4)}
    server.quit()
    left = {path.name for path in server.directory.iterdir()}
    assert {f"ended-{pid}" for pid in workers} <= left
    assert {f"done-{pid}" for pid in asked} <= left


def test_workers_do_not_outlive_a_killed_master(start_uwsgi, eventually):
    server = start_uwsgi("2x2")
    workers = server.workers()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(60)
    # Gone, or a zombie that the test run's first process has not collected yet.
    eventually(lambda: {state_of(pid) for pid in workers} <= {None, "Z"})
    assert all(parent_of(pid) != server.process.pid for pid in workers)


def test_the_fifo_changes_the_number_of_workers_within_the_ceiling(start_uwsgi, eventually):
    server = start_uwsgi("2x1", ceiling=4)
    server.tell(lambda fifo: fifo.more(2))
    eventually(lambda: len(server.stats().accepting_workers), 4)
    server.tell(lambda fifo: fifo.fewer(3))
    eventually(lambda: len(server.stats().live_workers), 1)


def test_a_paused_generation_shows_it_and_then_quits(start_uwsgi, eventually):
    server = start_uwsgi("2x1", ceiling=4)
    server.tell(lambda fifo: fifo.pause())
    eventually(lambda: {each.status for each in server.stats().live_workers}, {"pause"})
    assert server.quit() == 0
    assert not server.reads_commands()
