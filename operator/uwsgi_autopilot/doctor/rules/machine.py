"""Rules about what the machine, the container and the database have room for."""

from uwsgi_autopilot.doctor.configuration import Facts
from uwsgi_autopilot.doctor.finding import MACHINE, OPTIONS, Finding, Rule, Severity

# A reload closes every number up to the limit, several times: 0.45 s for each 2**20, measured.
_SECONDS_PER_DESCRIPTOR = 0.45 / 2**20
# uWSGI's HTTP router has a table of all of them: 8.6 GB at 2**30, measured.
_BYTES_PER_DESCRIPTOR = 8
_MANY_DESCRIPTORS = 2**20
_FAR_TOO_MANY = 2**26
# More processes than cores help where requests wait; this many times the cores, other shapes do it better.
_CROWDED = 4
_MIB = 2**20


def descriptors_without_limit(facts: Facts) -> Finding | None:
    limit = facts.machine.descriptors
    if facts.served or facts.configuration.has("max-fd") or limit is None or limit < _MANY_DESCRIPTORS:
        return None
    far = limit >= _FAR_TOO_MANY
    seconds, size = limit * _SECONDS_PER_DESCRIPTOR, limit * _BYTES_PER_DESCRIPTOR
    return Finding(
        severity=Severity.DANGEROUS if far else Severity.WARNING,
        finding=f"no max-fd, and RLIMIT_NOFILE is {limit}: about {seconds:.1f} s more without service at each reload",
        reason=f"A reload walks over all numbers of descriptors, 0.45 s a million, and uWSGI's HTTP router reserves "
        f"{_BYTES_PER_DESCRIPTOR} bytes for each ({size // _MIB} MiB here).",
        remedy="max-fd = 16384",
        link=MACHINE,
    )


def memory_too_small(facts: Facts) -> Finding | None:
    asked, limit = facts.configuration, facts.machine.memory
    ceiling = asked.number("reload-on-rss")
    each = ceiling * _MIB if ceiling else facts.worker
    if limit is None or not each or each * asked.processes <= limit:
        return None
    what = f"reload-on-rss = {ceiling} MB" if ceiling else f"{each // _MIB} MiB in the largest worker now"
    return Finding(
        severity=Severity.WARNING,
        finding=f"{asked.processes} processes may need {each * asked.processes // _MIB} MiB, and the limit is "
        f"{limit // _MIB} MiB",
        reason=f"{what}, times {asked.processes}. Workers share memory after the fork, and less of it with time; when "
        "the limit is reached, the kernel kills a process in the middle of its requests.",
        remedy=f"processes = {max(1, limit // each)}, a higher limit, or a lower reload-on-rss",
        link=MACHINE,
    )


def more_processes_than_cores(facts: Facts) -> Finding | None:
    processes, cores = facts.configuration.processes, facts.machine.cores
    if cores is None or facts.served or processes <= max(_CROWDED * cores, _CROWDED):
        return None
    return Finding(
        severity=Severity.HINT,
        finding=f"{processes} processes on {cores:g} core{'s' * (cores != 1)}: they wait for each other",
        reason="A process computes on one core at a time. Measured with 8 processes on 2 cores: each request waited "
        "16.6 ms for a core to compute 5.4 ms. In a container uWSGI's %k counts the cores of the node.",
        remedy="fewer processes with more threads each; uwsgi-autopilot measures how many",
        link=MACHINE,
    )


def too_many_connections(facts: Facts) -> Finding | None:
    """Each thread opens one, which is what most pools and Django do."""
    asked, limit = facts.configuration, facts.database_limit
    if limit is None:
        return None
    slots, bounded = asked.slots * facts.pods, facts.max_connections
    generations = 2 if facts.served and bounded is None else 1
    most = slots * generations if bounded is None else min(bounded, slots * 2)
    if most <= limit:
        return None
    pods = f" x {facts.pods} pods" if facts.pods > 1 else ""
    if bounded is not None:
        reason = f"maxConnections = {bounded} lets the autopilot go that far, and the database refuses the rest."
        remedy = f"spec.tuning.maxConnections: {limit}"
    else:
        twice = " x 2 generations during a change" if generations == 2 else ""
        reason = (
            f"{asked.processes} processes x {asked.threads} threads{pods}{twice}, one connection each; the database "
            "refuses the rest, and those requests fail."
        )
        remedy = (
            f"spec.tuning.maxConnections: {limit}" if facts.served else "fewer slots, or a pooler such as PgBouncer"
        )
    return Finding(
        severity=Severity.WARNING,
        finding=f"up to {most} database connections, and the limit is {limit}",
        reason=reason,
        remedy=remedy,
        link=MACHINE,
    )


def endless_log(facts: Facts) -> Finding | None:
    if not facts.endless_logs:
        return None
    return Finding(
        severity=Severity.WARNING,
        finding=f"{', '.join(facts.endless_logs)} grows without end",
        reason="There is no log-maxsize, and no file of logrotate names it. A line of 150 bytes a request is 1.3 GB a "
        "day at 100 requests/s; a full disk stops more than uWSGI.",
        remedy="log-maxsize = 20000000, or logrotate with touch-logreopen; and disable-logging where nginx logs",
        link=OPTIONS,
    )


RULES: tuple[Rule, ...] = (
    descriptors_without_limit, memory_too_small, more_processes_than_cores, too_many_connections, endless_log,
)  # fmt: skip
