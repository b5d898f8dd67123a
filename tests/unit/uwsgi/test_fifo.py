import os

import pytest

from uwsgi_autopilot.uwsgi.fifo import MasterFifo


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "f")
    return MasterFifo(str(tmp_path / "f"))


@pytest.fixture
def reader(fifo):
    descriptor = os.open(fifo.path, os.O_RDONLY | os.O_NONBLOCK)
    yield lambda: os.read(descriptor, 100)
    os.close(descriptor)


@pytest.mark.parametrize(
    ("command", "letters"),
    [
        pytest.param(lambda fifo: fifo.more(3), b"+++", id="more"),
        pytest.param(lambda fifo: fifo.fewer(2), b"--", id="fewer"),
        pytest.param(lambda fifo: fifo.quit_gracefully(), b"q", id="quit"),
        pytest.param(lambda fifo: fifo.pause(), b"p", id="pause"),
    ],
)
def test_each_command_is_its_letters(fifo, reader, command, letters):
    assert command(fifo) is True
    assert reader() == letters


def test_no_reader_is_false_at_once(fifo):
    assert fifo.pause() is False


def test_no_fifo_is_false(tmp_path):
    assert MasterFifo(str(tmp_path / "missing")).pause() is False


def test_a_full_pipe_is_false_at_once(fifo, reader):
    while fifo.send("x" * 4096):
        pass
    assert fifo.pause() is False


@pytest.mark.parametrize("n", [0, -1])
def test_nothing_to_do_sends_nothing(fifo, reader, n):
    assert fifo.more(n) is False
    assert fifo.fewer(n) is False
    assert reader() == b""
