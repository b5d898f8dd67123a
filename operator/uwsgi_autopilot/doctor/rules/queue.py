"""Rules about the queue of the socket, the workers that empty it, and what they can read."""

from uwsgi_autopilot.doctor.configuration import Facts
from uwsgi_autopilot.doctor.finding import (
    CHEAPER,
    HTTP,
    OPTIONS,
    QUEUE,
    SERIALIZING,
    THINGS_TO_KNOW,
    Finding,
    Rule,
    Severity,
)

# uWSGI's own default. A reload stops all service for 1 to 2 s: with 200 clients 931 604 of 936 220 requests failed.
DEFAULT_LISTEN = 100
GOOD_LISTEN = 1024
DEFAULT_BUFFER = 4096


def no_workers(facts: Facts) -> Finding | None:
    if facts.configuration.processes != 0:
        return None
    return Finding(
        severity=Severity.DANGEROUS,
        finding="processes = 0: the server starts and nobody answers",
        reason="uWSGI starts without a worker: connections are queued and never accepted.",
        remedy="processes = 1 or more",
        link=QUEUE,
    )


def listen_above_somaxconn(facts: Facts) -> Finding | None:
    listen, most = facts.configuration.number("listen") or DEFAULT_LISTEN, facts.machine.somaxconn
    if facts.served or most is None or listen <= most or not _listens(facts):
        return None
    return Finding(
        severity=Severity.DANGEROUS,
        finding=f"listen = {listen}, and this kernel allows {most}: uWSGI refuses to start",
        reason=f"net.core.somaxconn is {most} here; uWSGI ends when it is asked for a longer queue. In a container the "
        "limit is that of its own network namespace.",
        remedy=f"listen = {most}, or raise it: sysctl -w net.core.somaxconn={listen}",
        link=THINGS_TO_KNOW,
    )


def short_queue(facts: Facts) -> Finding | None:
    listen, most = facts.configuration.number("listen"), facts.machine.somaxconn
    length = DEFAULT_LISTEN if listen is None else listen
    if facts.served or length > DEFAULT_LISTEN or not _listens(facts):
        return None
    better = min(GOOD_LISTEN, most or GOOD_LISTEN)
    limit = "" if most is None else f" This kernel allows {most} (net.core.somaxconn)."
    if better <= length:
        remedy = f"first sysctl -w net.core.somaxconn={GOOD_LISTEN}, then listen = {GOOD_LISTEN}"
    else:
        remedy = f"listen = {better}"
    if facts.configuration.unix_sockets:
        what = "One more is refused at once, and nginx answers 502."
    else:
        what = "One more is dropped by the kernel, and the client tries again after 1, 3 and 7 s."
    return Finding(
        severity=Severity.WARNING,
        finding=f"listen {'is not set' if listen is None else f'= {listen}'}: at most {length} requests wait",
        reason=f"{what} Measured with 200 clients behind nginx and a unix socket: a reload of 2 s failed 931,604 of "
        f"936,220 requests with listen = 100, and none with 1024.{limit}",
        remedy=remedy,
        link=QUEUE,
    )


def cheaper_without_room(facts: Facts) -> Finding | None:
    asked = facts.configuration
    least = asked.number("cheaper")
    if facts.served or not least or least < asked.processes:  # with 0 it is off
        return None
    return Finding(
        severity=Severity.DANGEROUS,
        finding=f"cheaper = {least} with processes = {asked.processes}: uWSGI refuses to start",
        reason="cheaper is the least number of workers and processes the most; it must be the smaller number.",
        remedy=f"cheaper = {max(1, asked.processes // 2)} with processes = {max(2, asked.processes)}, or no cheaper",
        link=CHEAPER,
    )


def cheaper_backlog_blind(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or not asked.has("cheaper") or asked.last("cheaper-algo") != "backlog" or not asked.unix_sockets:
        return None
    return Finding(
        severity=Severity.DANGEROUS,
        finding=f"cheaper-algo = backlog on the unix socket {asked.unix_sockets[0]}: it never adds a worker",
        reason="uWSGI reads the queue of a unix socket as 0, always. Measured with 16 clients on 8 possible workers: "
        "it shrank from 2 to 1 under full load.",
        remedy="cheaper-algo = spare, or listen on TCP (socket = 127.0.0.1:3031)",
        link=QUEUE,
    )


def cheaper_busyness_half_blind(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or not asked.has("cheaper") or asked.last("cheaper-algo") != "busyness":
        return None
    blind, threads = bool(asked.unix_sockets), asked.threads > 1
    if not blind and not threads:
        return None
    reasons = []
    if blind:
        reasons.append("the alerts of cheaper-busyness-backlog-* never fire, because uWSGI reads the queue as 0")
    if threads:
        reasons.append(
            f"busy time is not divided by the {asked.threads} threads: measured, 3 requests at once on workers of 8 "
            "threads grew it to 6 workers"
        )
    where = " on a unix socket" if blind else ""
    return Finding(
        severity=Severity.WARNING,
        finding=f"cheaper-algo = busyness{where}{' with threads' if threads else ''}: it sees half of the load",
        reason="It adds workers by their busy time, but " + ", and ".join(reasons) + ".",
        remedy="cheaper-algo = spare, or a fixed number of processes",
        link=QUEUE,
    )


def no_thunder_lock(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if asked.processes <= 1 or asked.has("thunder-lock"):
        return None
    return Finding(
        severity=Severity.HINT,
        finding=f"no thunder-lock with {asked.processes} processes: some get three times the requests of others",
        reason="All workers race for each connection. Measured with 16 workers: 213 requests each with the lock, 113 "
        "to 370 without, at the same CPU time.",
        remedy="thunder-lock = true",
        link=SERIALIZING,
    )


def small_buffer(facts: Facts) -> Finding | None:
    size = facts.configuration.number("buffer-size")
    if facts.configuration.has("emperor") or (size is not None and size > DEFAULT_BUFFER):
        return None
    return Finding(
        severity=Severity.WARNING,
        finding=f"buffer-size {'is not set' if size is None else f'= {size}'}: "
        f"a request with more than {size or DEFAULT_BUFFER} bytes of headers is refused",
        reason="All headers and variables of a request must fit into it. A cookie alone may have 4096 bytes, so single "
        'users get errors that nobody else sees; the log says "invalid request block size".',
        remedy="buffer-size = 32768",
        link=THINGS_TO_KNOW,
    )


def no_post_buffering(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or not asked.every("socket") or asked.has("post-buffering"):
        return None
    return Finding(
        severity=Severity.HINT,
        finding="no post-buffering: a body that the application does not read breaks the connection",
        reason="If the application answers an upload without reading it, uWSGI closes the socket with data in it, and "
        "nginx may answer 502 in place of that answer.",
        remedy="post-buffering = 65536, if any view may leave a body unread",
        link=THINGS_TO_KNOW,
    )


def bare_http_socket(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or not (addresses := asked.every("http-socket")):
        return None
    return Finding(
        severity=Severity.HINT,
        finding=f"http-socket = {addresses[-1]}: fine behind a proxy; alone, a slow client occupies a worker",
        reason=f"The workers read HTTP themselves, so {asked.slots} slow client{'s' * (asked.slots != 1)} can occupy "
        "all of them. The option http starts a process that reads requests for them.",
        remedy="http in place of http-socket where no proxy stands in front",
        link=HTTP,
    )


def other_than_threads(facts: Facts) -> Finding | None:
    names = ("gevent", "async", "asyncio", "ugreen", "greenlet", "tornado")
    used = next((name for name in names if facts.configuration.has(name)), None)
    if used is None:
        return None
    return Finding(
        severity=Severity.HINT,
        finding=f"{used}: uwsgi-autopilot serves it and does not tune it",
        reason="Requests are not served by threads, so there is no number of threads to find.",
        remedy="nothing, unless you want it tuned: then threads in its place",
        link=OPTIONS,
    )


def _listens(facts: Facts) -> bool:
    """It makes a listening socket of its own; an inherited one has the length that its maker gave it."""
    asked = facts.configuration
    return asked.has("http") or any(not each.startswith("fd://") for each in asked.sockets)


RULES: tuple[Rule, ...] = (
    no_workers, listen_above_somaxconn, short_queue, cheaper_without_room, cheaper_backlog_blind,
    cheaper_busyness_half_blind, no_thunder_lock, small_buffer, no_post_buffering, bare_http_socket,
    other_than_threads,
)  # fmt: skip
