"""The one uWSGI of `uwsgi-autopilot dev`: started, read, ended. The listening socket is ours and outlives each.

So a request that comes between two of them waits, and is answered by the next.
"""

import os
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.errors import NotServing, UsageError
from uwsgi_autopilot.kernel.spawn import clean_environment, kill_group, path_with, spawn
from uwsgi_autopilot.local.outputlines import lines_of
from uwsgi_autopilot.local.ports import bound
from uwsgi_autopilot.uwsgi.development import development_ini
from uwsgi_autopilot.uwsgi.loading import names_a_file

MOST_THREADS = 4
BACKLOG = 128
# Then it is killed: whoever has saved a file does not wait for a request of the old one.
END_SECONDS = 2.0
LAST_LINES = 60
# Two saves within a second can leave bytecode that looks fresh and is not, and prints would wait for a full buffer.
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def listen(host: str, port: int) -> socket.socket:
    """Raises NotServing: the port is taken."""
    listener = bound(host, port, what=f"port {port} of {host}", remedy="Choose another with --port")
    listener.listen(BACKLOG)
    return listener


class DevServer:
    """last_lines: the end of what the present uWSGI has printed."""

    def __init__(self, app: UwsgiApp, folder: Path, uwsgi: str, listener: socket.socket) -> None:
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._app, self._folder, self._uwsgi, self._listener = app, folder, uwsgi, listener
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def threads(self) -> int:
        return self._app.tuning.threads.clamp(MOST_THREADS)

    def start(self, sink: Callable[[str], None]) -> None:
        """sink: gets each line that it prints. Raises NotServing and UsageError."""
        folder, fd = str(self._folder), self._listener.fileno()
        try:
            ini = development_ini(
                module=self._app.module,
                file=names_a_file(self._app.module, folder),
                folder=folder,
                fd=fd,
                threads=self.threads,
                options=self._app.option_pairs,
                static=[(each.path, str(self._folder / each.dir)) for each in self._app.nginx.static],
            )
        except ValueError as error:
            raise UsageError(f"spec.uwsgi.options: {error}") from None
        memory = os.memfd_create("ini", 0)  # a file that needs no place and leaves none behind
        try:
            os.write(memory, ini.encode())
            self._process = spawn(
                [self._uwsgi, "--ini", f"/proc/self/fd/{memory}"],
                when_parent_dies=signal.SIGTERM,
                env=clean_environment(
                    os.environ, {**ENVIRONMENT, **dict(self._app.env), "PATH": path_with(self._uwsgi, os.environ)}
                ),
                pass_fds=[fd, memory],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise NotServing(f"{self._uwsgi} cannot be started: {error.strerror}") from None
        finally:
            os.close(memory)
        self.last_lines.clear()
        self._reader = threading.Thread(target=self._read, args=(self._process, sink), daemon=True)
        self._reader.start()

    def ended(self) -> int | None:
        """The status of one that has ended by itself, all its output read; None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        self.end()
        return self._process.returncode

    def end(self) -> None:
        """It and whatever it has started."""
        if self._process is None:
            return
        try:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
                self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            kill_group(self._process.pid)
            self._process.wait()
        if self._reader is not None:
            self._reader.join(1.0)

    def _read(self, process: "subprocess.Popen[bytes]", sink: Callable[[str], None]) -> None:
        assert process.stdout is not None
        with process.stdout as output:
            for line in lines_of(output.fileno()):
                if line is not None:
                    self.last_lines.append(line)
                    sink(line)
