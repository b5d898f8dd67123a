"""One WSGI application that can be any of the bench's workloads: its parameters come as JSON in BENCH_WORKLOAD.

A request waits (perhaps with a connection of its process's pool, or with one of the few that a backend gives to all
processes), then computes, first without the interpreter lock and then with it. Computing is a fixed number of rounds
that the bench has counted once for this machine: a request is the same work whoever else computes beside it, and what
sharing a cache or a core costs can be seen.

`bench/parameters.py` says what each field means. Standard library only: it runs in the application's processes.
"""

import fcntl
import hashlib
import json
import os
import random
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Application = Callable[[dict[str, object], StartResponse], Iterable[bytes]]
VARIABLE = "BENCH_WORKLOAD"


def compute(rounds: int) -> int:
    """Python code under the interpreter lock."""
    value = 1
    for number in range(rounds):
        value = (value * 31 + number) & 0xFFFF
    return value


def compute_unlocked(rounds: int) -> None:
    """C code that lets other threads of the process run meanwhile: OpenSSL, one call."""
    hashlib.pbkdf2_hmac("sha256", b"bench", b"bench", rounds)


def create() -> Application:
    """What uWSGI serves. Raises KeyError without BENCH_WORKLOAD."""
    given = json.loads(os.environ[VARIABLE])
    compute(round(1000 * given["import_s"] * given["python_rounds_per_ms"]))
    return application(given)


def application(given: dict[str, Any]) -> Application:
    """Its pages: /other and /stream where the workload has them, and one for every other path."""
    pages = {"/": page(given)}
    if given["other"]:
        pages["/other"] = page({**given, **given["other"]})
    if given["stream_s"]:
        pages["/stream"] = streaming(given["stream_s"])
    hold = _memory(round(1e6 * given["memory_mb"]))

    def app(environ: dict[str, object], start_response: StartResponse) -> Iterable[bytes]:
        hold()
        return pages.get(str(environ.get("PATH_INFO")), pages["/"])(environ, start_response)

    return app


def _memory(size: int) -> Callable[[], None]:
    """Called in each request: a process takes its memory in its first one, after the fork, and shares none of it."""
    held: list[bytes] = []

    def hold() -> None:
        if size and not held:
            held.append(b"x" * size)

    return hold


def streaming(seconds: float) -> Application:
    def app(environ: dict[str, object], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            yield b"piece\n"
            time.sleep(min(1.0, left))

    return app


def page(given: dict[str, Any]) -> Application:
    pool = threading.BoundedSemaphore(given["pool"]) if given["pool"] else nullcontext()
    backend = _backend(given)
    quick, slow, slow_share = given["wait_ms"] / 1000, given["slow_wait_ms"] / 1000, given["slow_share"]
    python_rounds = given["cpu_ms"] * given["python_rounds_per_ms"]
    native_rounds = given["native_ms"] * given["native_rounds_per_ms"]
    spread, body, error_share = given["spread"], b"x" * given["answer_bytes"], given["error_share"]
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]

    def about(mean: float) -> float:
        return max(0.0, random.gauss(mean, spread * mean)) if spread else mean

    def app(environ: dict[str, object], start_response: StartResponse) -> Iterable[bytes]:
        if error_share and random.random() < error_share:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain"), ("Content-Length", "6")])
            return [b"failed"]
        wait = slow if slow_share and random.random() < slow_share else quick
        if wait:
            with pool:
                backend(about(wait))
        if native_rounds:
            compute_unlocked(max(1, round(about(native_rounds))))
        if python_rounds:
            compute(round(about(python_rounds)))
        start_response("200 OK", headers)
        return [body]

    return app


def _backend(given: dict[str, Any]) -> Callable[[float], None]:
    """How a wait of so many seconds is spent.

    What all processes share, the workers of two generations included, is a FIFO that the bench holds open. As a limit
    it holds so many bytes, and who has read one may wait; for a backend that degrades it holds one byte for each wait
    in progress. To the kernel both look like what a database looks like: a system call that takes long.
    """
    if given["limit"]:
        return _limited(os.open(given["fifo"], os.O_RDWR))
    if given["degrades_from"]:
        return _degrading(os.open(given["fifo"], os.O_RDWR), given["degrades_from"], given["degrades_power"])
    return time.sleep


def _limited(fifo: int) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        with _Token(lambda: os.read(fifo, 1), lambda: os.write(fifo, b".")):
            time.sleep(seconds)

    return wait


def _degrading(fifo: int, at: int, power: float) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        with _Token(lambda: os.write(fifo, b"."), lambda: os.read(fifo, 1)):
            (waits,) = struct.unpack("i", fcntl.ioctl(fifo, termios.FIONREAD, b"\0\0\0\0"))
            time.sleep(seconds * max(1.0, waits / at) ** power)

    return wait


class _Token(AbstractContextManager[None]):
    def __init__(self, take: Callable[[], object], give_back: Callable[[], object]) -> None:
        self.take, self.give_back = take, give_back

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_: object) -> None:
        self.give_back()
