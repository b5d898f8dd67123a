"""Who asks for uWSGI's stats gets those of who serves, also while one generation takes the place of another."""

import socket
import threading
from pathlib import Path

import pytest

from uwsgi_autopilot.agent.statsproxy import StatsProxy


def listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def answer_once(listener: socket.socket, text: bytes) -> None:
    with listener:
        client, _ = listener.accept()
        with client:
            client.sendall(text)


def asked(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        text = b""
        while part := client.recv(65536):
            text += part
        return text


@pytest.mark.parametrize("how", ["it has removed its socket", "it no longer listens", "it ends with us in its queue"])
def test_one_that_ends_before_it_answers_is_asked_no_more_but_the_next_one(tmp_path: Path, how: str) -> None:
    old, new = tmp_path / "g1", tmp_path / "g2"
    ends = threading.Thread(target=lambda: None)
    if how != "it has removed its socket":
        first = listening(old)
        if how == "it no longer listens":
            first.close()
        else:
            ends = threading.Thread(target=answer_once, args=(first, b""))
    ends.start()
    serves = threading.Thread(target=answer_once, args=(listening(new), b"{}"))
    serves.start()
    looks = iter([str(old)])
    StatsProxy(str(tmp_path / "stats"), lambda: next(looks, str(new)), http=False, owner=None)
    assert asked(tmp_path / "stats") == b"{}"
    serves.join()
    ends.join()


def test_when_nobody_answers_nothing_is_answered(tmp_path: Path) -> None:
    StatsProxy(str(tmp_path / "stats"), lambda: str(tmp_path / "g1"), http=False, owner=None)
    assert asked(tmp_path / "stats") == b""
