"""Tell the service manager how we are: sd_notify(3), without its library."""

import os
import socket
import time
from contextlib import suppress


class ServiceManager:
    """Nothing happens without NOTIFY_SOCKET in the environment. Never raises: nobody must fail because systemd is busy.

    watchdog_seconds: how often `alive` must be called at the least; None: nobody watches.
    """

    def __init__(self) -> None:
        self._path = os.environ.get("NOTIFY_SOCKET")
        usec = os.environ.get("WATCHDOG_USEC", "")
        ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_seconds = int(usec) / 1e6 if self._path and usec.isdigit() and ours else None

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Until `ready` is called again. systemd 253 wants the time with it, for Type=notify-reload."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._path:
            return
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.sendto(text.encode(), address)
