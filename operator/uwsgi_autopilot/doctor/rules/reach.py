"""Rules about who can reach the sockets, and as whom uWSGI runs."""

from uwsgi_autopilot.doctor.configuration import Facts, is_public, is_tcp
from uwsgi_autopilot.doctor.finding import REACH, STATS, THINGS_TO_KNOW, Finding, Rule, Severity

_WORLD_WRITES = 0o002


def open_socket(facts: Facts) -> Finding | None:
    address = next((each for each in facts.configuration.every("socket") if is_public(each)), None)
    protocol = facts.configuration.last("protocol") or facts.configuration.last("socket-protocol")
    if address is None or protocol not in (None, "uwsgi"):
        return None
    return Finding(
        severity=Severity.DANGEROUS,
        finding=f"socket = {address}: whoever reaches that port can run code here",
        reason="The uwsgi protocol lets the client name the application to load (UWSGI_FILE and the like). It is meant "
        "for a proxy in front, not for a network.",
        remedy="a unix socket, 127.0.0.1, or a firewall that lets only the proxy in; http in its place for clients",
        link=THINGS_TO_KNOW,
    )


def open_stats(facts: Facts) -> Finding | None:
    address = next((each for each in facts.configuration.every("stats") if is_public(each)), None)
    if address is None:
        return None
    return Finding(
        severity=Severity.DANGEROUS,
        finding=f"stats = {address}: the cookies and passwords of your users are readable there",
        reason="The statistics show all variables of each request in flight, HTTP_COOKIE and HTTP_AUTHORIZATION "
        "included, to whoever connects. A client that connects and does not read stops the master.",
        remedy="stats = PRIVATE/stats.sock, in a directory that only the user of uWSGI can enter",
        link=REACH,
    )


def shared_stats(facts: Facts) -> Finding | None:
    asked = facts.configuration
    address = next((each for each in asked.every("stats") if is_tcp(each) and not is_public(each)), None)
    if address is None and not (asked.has("stats") and asked.has("stats-http")):
        return None
    page = asked.has("stats-http")
    return Finding(
        severity=Severity.WARNING,
        finding=f"stats = {address or asked.last('stats')}{' with stats-http' if page else ''}: "
        "every user of this machine can read requests",
        reason="The statistics show cookies and the Authorization header of each request in flight."
        + (" stats-http lets any web page that a user of this machine opens read them, too." if page else ""),
        remedy="stats = PRIVATE/stats.sock, without stats-http; uwsgitop and exporters read unix sockets",
        link=STATS,
    )


def world_writable_socket(facts: Facts) -> Finding | None:
    asked = facts.configuration
    value = asked.last("chmod-socket")
    if facts.served or value is None or not asked.unix_sockets:
        return None
    try:
        mode = 0o666 if value == "true" else int(value, 8)  # without a value uWSGI means 666
    except ValueError:
        return None
    if not mode & _WORLD_WRITES:
        return None
    stats = " It is used for the statistics, too, which show cookies." if asked.has("stats") else ""
    return Finding(
        severity=Severity.WARNING,
        finding=f"chmod-socket {'without a value is 666' if value == 'true' else f'= {value}'}: "
        "every user of this machine can connect",
        reason="Whoever connects with the uwsgi protocol can have code loaded as the user of uWSGI, past nginx and "
        f"what it checks.{stats}",
        remedy="chmod-socket = 660, with nginx in the group (chown-socket = USER:GROUP)",
        link=REACH,
    )


def runs_as_root(facts: Facts) -> Finding | None:
    asked = facts.configuration
    if facts.served or not facts.machine.root or asked.has("uid") or asked.has("emperor"):
        return None
    return Finding(
        severity=Severity.WARNING,
        finding="uid is not set, and root starts it: the application runs as root",
        reason="A fault in the application or a library is then a fault of the whole machine or container.",
        remedy="uid = www-data and gid = www-data; or User= in systemd, USER in the image",
        link=THINGS_TO_KNOW,
    )


RULES: tuple[Rule, ...] = (open_socket, open_stats, shared_stats, world_writable_socket, runs_as_root)
