"""An instance that is told to finish does so, even if its master lost the message, and finishes its requests first."""

import os
import pwd
import signal
import socket
import time

import pytest

from tests.component.agent.bare import SITE
from tests.component.conftest import wait_until
from uwsgi_autopilot.agent.uwsgiserver import UwsgiServer
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.uwsgi.request import request_packet

pytestmark = pytest.mark.component


@pytest.fixture
def start(short_directory, uwsgi_program):
    """`start(Shape(1, 2))`: an instance whose workers all accept, at app.sock in `short_directory`."""
    (short_directory / "private").mkdir()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(short_directory / "app.sock"))
    listening.listen(100)
    started = []

    def start(shape, site=SITE):
        config = AgentConfig(
            name="test", uwsgi=(str(uwsgi_program.path),), module="app:app", chdir=str(site), socket="", desired="",
            private=str(short_directory / "private"), start=shape, listen=(), env=(("FAULTS", str(short_directory)),),
        )  # fmt: skip
        started.append(UwsgiServer(config, [listening.fileno()]).start(1, shape))
        wait_until(started[-1].accepts, "all workers accept")
        return started[-1]

    yield start
    listening.close()
    for each in started:
        each.kill()
        wait_until(lambda each=each: not each.alive(), "it has ended")
        each.close()


def finish(instance):
    """Step as the agent does; its exit status."""

    def ended():
        instance.step_retiring(time.monotonic())
        return not instance.alive()

    wait_until(ended, "it has finished")
    return instance.ending()


def test_a_quit_that_the_master_never_reads_is_sent_again(start):
    """uWSGI throws away what arrives just before it makes its FIFO again; here we read the letter in its place."""
    instance = start(Shape(1, 2))
    os.kill(instance.pid, signal.SIGSTOP)
    thief = os.open(instance.fifo.path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        instance.retire(time.monotonic())
        assert os.read(thief, 100) == b"q"
    finally:
        os.close(thief)
        os.kill(instance.pid, signal.SIGCONT)
    assert finish(instance) == "ended with status 0"


@pytest.mark.parametrize("threads", [1, 3])
def test_quitting_again_and_again_leaves_the_request_in_service_alone(start, short_directory, threads):
    instance = start(Shape(1, threads))
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(short_directory / "app.sock"))
        client.sendall(request_packet("/?held=yes", ""))
        wait_until(lambda: instance.look() or any(each.in_service for each in instance.workers), "it is in service")
        instance.retire(time.monotonic())
        for _ in range(100):
            instance.step_retiring(time.monotonic())
            time.sleep(0.02)
            assert instance.alive()
        (short_directory / "released").touch()
        assert finish(instance) == "ended with status 0"
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert b"200 because it was asked for" in answer


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can become another user")
def test_a_worker_that_may_not_see_its_own_system_calls_finishes_too(start, short_directory, capfd):
    """One that was root and became another user: the kernel then gives its files in /proc to root."""
    drop = f"\nimport os, uwsgi\nuwsgi.post_fork_hook = lambda: os.setuid({pwd.getpwnam('nobody').pw_uid})\n"
    (short_directory / "app.py").write_text((SITE / "app.py").read_text() + drop)
    instance = start(Shape(1, 1), site=short_directory)
    instance.retire(time.monotonic())
    assert finish(instance) == "ended with status 0"
    assert "Permission denied" not in capfd.readouterr().out


@pytest.fixture
def slow_readers(short_directory):
    """`slow_readers(3)`: so many clients of answers of 4 MiB, which have begun and whose rest nobody reads yet."""
    clients = []

    def start(count):
        for _ in range(count):
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            client.settimeout(60)
            client.connect(str(short_directory / "app.sock"))
            client.sendall(request_packet("/?big=4", ""))
        for each in clients:
            full = lambda each=each: len(each.recv(2**20, socket.MSG_PEEK)) > 150_000  # noqa: E731
            wait_until(full, "its buffer is full")
        return clients

    yield start
    for each in clients:
        each.close()


def lengths(clients):
    """Of the bodies that arrive."""
    found = []
    for client in clients:
        answer = b""
        while part := client.recv(2**20):
            answer += part
        found.append(len(answer.partition(b"\r\n\r\n")[2]))
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_an_answer_whose_client_reads_slowly_is_whole_when_its_generation_retires(start, slow_readers, threads):
    """Every worker gets a signal then, and uWSGI takes a wait that a signal ended for a client that has gone."""
    instance = start(Shape(1, threads))
    clients = slow_readers(threads)
    instance.retire(time.monotonic())
    for _ in range(20):
        instance.step_retiring(time.monotonic())
        time.sleep(0.02)
    assert lengths(clients) == [4 * 2**20] * threads
    assert finish(instance) == "ended with status 0"


def test_an_answer_is_whole_when_nobody_reads_it_for_longer_than_uwsgi_itself_would_wait(start, slow_readers):
    start(Shape(1, 1))
    clients = slow_readers(1)
    time.sleep(5)
    assert lengths(clients) == [4 * 2**20]
