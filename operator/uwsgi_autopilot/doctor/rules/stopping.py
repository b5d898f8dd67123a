"""Rules about what happens when uWSGI is reloaded or stopped, and when a worker is."""

from uwsgi_autopilot.doctor.configuration import Configuration, Facts
from uwsgi_autopilot.doctor.finding import GRACEFUL, OPTIONS, STOPPING, THINGS_TO_KNOW, Finding, Rule, Severity

# uWSGI's defaults, in seconds.
DEFAULT_MERCY = 60
HTTP_TIMEOUT = 60
_RECYCLING = ("max-requests", "max-worker-lifetime", "reload-on-rss", "reload-on-as")
_RELOADERS = ("touch-reload", "fs-reload", "py-autoreload", "touch-workers-reload", "touch-chain-reload")


def known_fault(facts: Facts) -> Finding | None:
    version, asked = facts.version, facts.configuration
    if version == (2, 0, 27):
        return Finding(
            severity=Severity.DANGEROUS,
            finding="uWSGI 2.0.27 ignores every reload: new code is not loaded",
            reason="SIGHUP, touch-reload and the master FIFO do nothing in this version: 0 of 8 reloads were applied.",
            remedy="install 2.0.28 or newer",
            link=STOPPING,
        )
    if version is None or version >= (2, 0, 25):
        return None
    name = ".".join(map(str, version))
    recycles = next((each for each in _RECYCLING if asked.has(each)), None)
    loses = asked.threads > 1 and recycles is not None
    return Finding(
        severity=Severity.DANGEROUS if loses else Severity.HINT,
        finding=f"uWSGI {name} loses requests when {recycles if loses else 'it'} recycles a worker with threads",
        reason="The worker ends while its other threads serve: with 4 threads 20 of 1,328 requests failed with 2.0.21, "
        "14 of 1,325 with 2.0.24, and none with 2.0.28.",
        remedy="install 2.0.28 or newer",
        link=STOPPING,
    )


def reload_ends_it(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or facts.module is None or asked.has("binary-path"):
        return None
    used = next((name for name in _RELOADERS[:3] if asked.has(name)), None)
    return Finding(
        severity=Severity.DANGEROUS if used else Severity.WARNING,
        finding=f"{used or 'SIGHUP'} ends this server: pyuwsgi cannot re-execute itself",
        reason=f"The uWSGI here is {facts.module}. A reload executes Python without the virtual environment that it is "
        "installed in, finds no pyuwsgi there and exits with status 1.",
        remedy="binary-path = PYTHON of the virtual environment, or install uwsgi in place of pyuwsgi",
        link=STOPPING,
    )


def kills_by_memory(facts: Facts) -> Finding | None:
    used = next((name for name in ("evil-reload-on-rss", "evil-reload-on-as") if facts.configuration.has(name)), None)
    if used is None:
        return None
    return Finding(
        severity=Severity.DANGEROUS,
        finding=f"{used} kills workers in the middle of requests",
        reason="The master sends SIGKILL, whatever the worker is doing: 73 of 9,179 requests failed in 10 s of load. "
        "reload-on-rss waits for the request to end: 0 of 15,896.",
        remedy=f"{used.removeprefix('evil-')} = {facts.configuration.last(used)}",
        link=STOPPING,
    )


def harakiri_with_threads(facts: Facts) -> Finding | None:
    asked = facts.configuration
    seconds = asked.number("harakiri")
    if not seconds or asked.threads == 1:
        return None
    return Finding(
        severity=Severity.WARNING,
        finding=f"harakiri = {seconds} with {asked.threads} threads: kills the neighbours, and often not the slow one",
        reason=f"One timer serves the whole worker. When it fires, all {asked.threads} requests of the worker are cut "
        "off; any request that ends clears it, so with other traffic a request of 9 s survived harakiri = 2.",
        remedy="a timeout in the application, its database driver and nginx (uwsgi_read_timeout); harakiri only with "
        "threads = 1",
        link=STOPPING,
    )


def mercy_too_short(facts: Facts) -> Finding | None:
    asked = facts.configuration
    mercy = asked.number("worker-reload-mercy")
    if mercy is None:
        mercy = DEFAULT_MERCY
    longest, why = _longest(asked)
    if facts.served or not asked.master or mercy >= longest:
        return None
    return Finding(
        severity=Severity.WARNING,
        finding=f"worker-reload-mercy is {mercy} s, and a request may take {longest} s ({why})",
        reason=f"A worker that is told to end is sent SIGKILL {mercy} s later, with its requests. Measured with 3 s: "
        "three requests of 8 s were cut off.",
        remedy=f"worker-reload-mercy = {longest + 5}",
        link=STOPPING,
    )


def reload_mercy_alone(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if asked.has("worker-reload-mercy") or not (seconds := asked.number("reload-mercy")):
        return None
    return Finding(
        severity=Severity.WARNING,
        finding=f"reload-mercy = {seconds} has no effect on workers",
        reason=f"Workers have a limit of their own, worker-reload-mercy, which stays at {DEFAULT_MERCY} s.",
        remedy=f"worker-reload-mercy = {seconds}",
        link=GRACEFUL,
    )


def no_master(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or asked.master or asked.has("emperor"):
        return None
    one = asked.processes == 1
    return Finding(
        severity=Severity.WARNING,
        finding="no master: a process that dies is not replaced",
        reason=f"When {'the only process' if one else 'a worker'} crashes or is killed for its memory, "
        + ("nobody serves until something starts uWSGI again." if one else "the others go on with one less."),
        remedy="master = true",
        link=THINGS_TO_KNOW,
    )


def sigterm_reloads(facts: Facts) -> Finding | None:
    asked = facts.configuration
    hooked = any("unix_signal:15" in value for value in asked.every("hook-master-start"))
    if facts.served or not asked.master or asked.has("die-on-term", "emperor") or hooked:
        return None
    return Finding(
        severity=Severity.WARNING,
        finding="no die-on-term: SIGTERM reloads, it does not stop",
        reason="systemd, docker stop and Kubernetes send SIGTERM. uWSGI kills the requests in flight, re-executes "
        "itself and keeps serving, until SIGKILL ends it and the requests in flight by then.",
        remedy="hook-master-start = unix_signal:15 gracefully_kill_them_all (requests in flight end first), or "
        "die-on-term = true (they are cut off)",
        link=STOPPING,
    )


def reload_with_one_thread(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or asked.threads > 1 or not asked.master or asked.has("gevent", "async", "asyncio"):
        return None
    return Finding(
        severity=Severity.HINT,
        finding="threads = 1: a graceful reload can still reset a connection, seldom",
        reason="A worker with one thread that is told to end between accept() and its request ends at once: 1 of "
        "37,322 requests in 20 restarts. With that gap widened to 3 ms, 21 of 28 signals cost a request, and with 2 "
        "threads none.",
        remedy="threads = 2 (about 30 KB), if the application is thread-safe; else let nginx try a second time "
        "(uwsgi_next_upstream error, and the same server twice in the upstream), if a GET may run twice when its "
        "worker dies",
        link=STOPPING,
    )


def lazy(facts: Facts) -> Finding | None:
    if not facts.configuration.has("lazy"):
        return None
    return Finding(
        severity=Severity.WARNING,
        finding="lazy changes what a reload does",
        reason="With it SIGHUP and touch-reload end the workers only, and the master keeps its old options. uWSGI's "
        "documentation advises against it.",
        remedy="lazy-apps = true",
        link=GRACEFUL,
    )


def autoreload_in_production(facts: Facts) -> Finding | None:
    seconds = facts.configuration.number("py-autoreload")
    if not seconds:
        return None
    return Finding(
        severity=Severity.WARNING,
        finding=f"py-autoreload = {seconds}: a reload in the middle of a deployment",
        reason=f"A thread looks at every module each {seconds} s and reloads all workers at the first file that "
        "changed, while the others are still being copied. uWSGI's own help says: use only in development.",
        remedy="touch-reload = FILE, touched when the deployment is complete",
        link=OPTIONS,
    )


def recycled_together(facts: Facts) -> Finding | None:
    asked = facts.configuration
    for name in ("max-requests", "max-worker-lifetime"):
        if asked.processes > 1 and asked.number(name) and not asked.has(f"{name}-delta"):
            break
    else:
        return None
    amount = asked.number(name) or 0
    return Finding(
        severity=Severity.HINT,
        finding=f"{name} = {amount} without {name}-delta: all {asked.processes} processes restart together",
        reason="With even traffic they reach the limit at the same moment, and nobody serves meanwhile: p99 2.0 s with "
        "max-requests, 1.0 s with max-worker-lifetime.",
        remedy=f"{name}-delta = {max(1, amount // 10)} (uWSGI 2.0.29 or newer)",
        link=STOPPING,
    )


def no_no_orphans(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or not asked.master or asked.has("no-orphans"):
        return None
    return Finding(
        severity=Severity.HINT,
        finding="no no-orphans: workers outlive a master that was killed",
        reason="They go on serving the old code, are never replaced, and hold a TCP port when uWSGI is started again.",
        remedy="no-orphans = true, where something restarts uWSGI",
        link=OPTIONS,
    )


def no_vacuum(facts: Facts) -> Finding | None:
    asked = facts.configuration
    files = [*(each for each in asked.unix_sockets if not each.startswith("@")), *asked.every("pidfile", "pidfile2")]
    if facts.served or asked.has("vacuum") or not files:
        return None
    return Finding(
        severity=Severity.HINT,
        finding=f"no vacuum: {files[0]} stays behind when uWSGI stops",
        reason="Nothing breaks, uWSGI replaces a socket that was left; but whoever looks finds one that nobody serves.",
        remedy="vacuum = true",
        link=OPTIONS,
    )


def _longest(asked: Configuration) -> tuple[int, str]:
    """Seconds that a request may take, as far as the configuration says so, and which option does."""
    harakiri, timeout = asked.number("harakiri") or 0, asked.number("http-timeout") or 0
    if harakiri:
        return harakiri, f"harakiri = {harakiri}"
    return (timeout, f"http-timeout = {timeout}") if timeout else (0, "")


RULES: tuple[Rule, ...] = (
    known_fault, reload_ends_it, kills_by_memory, harakiri_with_threads, mercy_too_short, reload_mercy_alone, no_master,
    sigterm_reloads, reload_with_one_thread, lazy, autoreload_in_production, recycled_together, no_no_orphans,
    no_vacuum,
)  # fmt: skip
