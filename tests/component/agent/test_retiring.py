"""An instance that is told to finish does so, even if its master lost the message, and finishes its requests first."""

import os
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

    def start(shape):
        config = AgentConfig(
            name="test", uwsgi=(str(uwsgi_program.path),), module="app:app", chdir=str(SITE), socket="", desired="",
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
