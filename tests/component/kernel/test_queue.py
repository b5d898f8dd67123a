"""The kernel's view of a real uWSGI's socket, beside uWSGI's own."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from uwsgi_autopilot.kernel.sockdiag import SocketDiagnostics, UnixSocketLoad, proc_net_unix
from uwsgi_autopilot.uwsgi.request import NoAnswer, ask

pytestmark = pytest.mark.component


@pytest.fixture
def diagnostics() -> Iterator[SocketDiagnostics]:
    with closing(SocketDiagnostics()) as opened:
        yield opened


def test_the_queue_is_seen_that_uwsgi_reports_as_empty(start_uwsgi, eventually, diagnostics):
    server = start_uwsgi("1x2")
    server.hold("/hold", times=5)
    eventually(lambda: diagnostics.unix_socket(server.address), UnixSocketLoad(queue=3, in_service=2))
    assert proc_net_unix(server.address) == UnixSocketLoad(queue=3, in_service=2)
    eventually(lambda: sum(each.in_service for each in server.stats().workers), 2)
    server.release()
    eventually(lambda: diagnostics.unix_socket(server.address), UnixSocketLoad(queue=0, in_service=0))


def test_of_another_network_namespace_the_queue_is_seen_but_not_the_service(start_uwsgi, eventually, diagnostics):
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("cannot make a network namespace here")
    server = start_uwsgi("1x1")
    code = (
        "import socket, sys\n"
        "from uwsgi_autopilot.uwsgi.request import request_packet\n"
        "kept = [socket.socket(socket.AF_UNIX) for _ in range(3)]\n"
        "for each in kept: each.connect(sys.argv[1]); each.sendall(request_packet('/hold', ''))\n"
        "sys.stdin.read()\n"
    )
    client = subprocess.Popen([unshare, "-n", sys.executable, "-c", code, server.address], stdin=subprocess.PIPE)
    try:
        eventually(lambda: sum(each.in_service for each in server.stats().workers), 1)
        eventually(lambda: diagnostics.unix_socket(server.address), UnixSocketLoad(queue=2, in_service=0))
        assert proc_net_unix(server.address) == UnixSocketLoad(queue=0, in_service=0)
    finally:
        client.communicate()


def test_asking_the_application(start_uwsgi):
    server = start_uwsgi("1x1")
    assert ask(server.address, "/", "shop.example", 10) == 200
    assert ask(server.address, "/teapot", "", 10) == 418
    server.hold("/hold")
    assert ask(server.address, "/", "", 0.1) is NoAnswer.LATE
