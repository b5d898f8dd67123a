"""A stats socket that answers late, or never, keeps nobody waiting but the reader's own thread."""

import json
import socket

from uwsgi_autopilot.agent.statsreader import StatsReader

CORE = {"requests": 0, "in_request": 0, "req_info": {}}
WORKER = {"id": 1, "pid": 8, "accepting": 1, "status": "idle", "running_time": 0, "cores": [CORE]}
ANSWER = json.dumps({"pid": 7, "version": "2.0.31", "workers": [WORKER]}).encode()


def test_asking_and_looking_do_not_wait_for_the_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a unix socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("stats")
        listener.listen()
        reader = StatsReader("stats")
        reader.ask()
        connection, _ = listener.accept()
        # A reader that waited here would wait for us.
        reader.ask()
        assert reader.latest is None
        assert reader.since(0.0) is None
        with connection:
            connection.sendall(ANSWER)
        connection, _ = listener.accept()
        with connection:
            connection.sendall(ANSWER)
        assert reader.latest is not None, "the second one was asked for after the first had come"
        assert reader.latest.stats.pid == 7
        assert reader.since(reader.latest.asked_at) is not None
        assert reader.since(reader.latest.asked_at + 1) is None
        reader.close()
