"""Ask the agent for its state, over one persistent connection to its unix socket."""

import http.client
import json
import socket
from typing import Any

TIMEOUT = 2.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("agent", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class AgentClient:
    def __init__(self, path: str) -> None:
        self._connection = _UnixConnection(path)

    def close(self) -> None:
        self._connection.close()

    def state(self, since: int) -> dict[str, Any] | None:
        """The state with the samples after `since`; None if the agent does not answer."""
        try:
            self._connection.request("GET", f"/v1/state?since={since}")
            answer = self._connection.getresponse()
            data: dict[str, Any] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            return None
        return data
