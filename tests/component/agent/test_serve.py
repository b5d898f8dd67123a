"""The agent's own HTTP server, without an application behind it."""

import socket
import threading

import pytest

from uwsgi_autopilot.agent import serve

pytestmark = pytest.mark.component


def test_a_container_that_starts_again_gets_its_port():
    """Its predecessor's connections are still in TIME_WAIT: measured in a pod whose application did not import."""

    def serve_once(port: int) -> int:
        server = serve._Server(("127.0.0.1", port), serve._Handler)
        server.pages = {"/healthz": serve.text_page(lambda: (200, "ok\n"))}
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with socket.create_connection(server.socket.getsockname()) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            # The server hangs up first: TIME_WAIT is at its end.
            while client.recv(4096):
                pass
        thread.join()
        bound: int = server.socket.getsockname()[1]
        server.server_close()
        return bound

    port = serve_once(0)
    assert serve_once(port) == port
