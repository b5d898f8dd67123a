"""Before a taken over configuration is served: users that exist, addresses that are free, directories that can be
written. One sentence each, and nothing is touched."""

import errno
import grp
import os
import pwd
import socket
import stat

from uwsgi_autopilot.api.address import EVERY_ADDRESS, tcp_address
from uwsgi_autopilot.api.agentconfig import MAX_SOCKET_PATH
from uwsgi_autopilot.api.takeover import Takeover
from uwsgi_autopilot.errors import NotServing, UsageError
from uwsgi_autopilot.local.ports import bound
from uwsgi_autopilot.local.served import Owner, Owners


def owners_of(found: Takeover) -> Owners:
    """uWSGI ignores uid and gid unless root starts it; `chown-socket` it always tries. Raises UsageError."""
    root = os.geteuid() == 0
    uwsgi = None
    if root and (found.user or found.group):
        uwsgi = _owner(found.user or "root", found.group, user_option="uid", group_option="gid")
    if found.owner is None:
        return Owners(uwsgi=uwsgi, sockets=uwsgi)
    user, group = found.owner
    sockets = _owner(user, group or found.group, user_option="chown-socket", group_option="chown-socket")
    if not root and (sockets.uid != os.geteuid() or sockets.gid not in {os.getegid(), *os.getgroups()}):
        raise UsageError(
            f"chown-socket = {user}{f':{group}' if group else ''}: only root can give a socket to another user or to a "
            f"group that this user (uid {os.geteuid()}) is not in; start it as root with a uid, or leave the option out"
        )
    return Owners(uwsgi=uwsgi, sockets=sockets)


def _owner(user: str, group: str | None, *, user_option: str, group_option: str) -> Owner:
    try:
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        what = f"{user_option} = {user}"
        raise UsageError(f"{what}: there is no such user on this machine; create it, or name another") from None
    try:
        of_group = (
            grp.getgrgid(entry.pw_gid)
            if group is None
            else grp.getgrgid(int(group))
            if group.isdigit()
            else grp.getgrnam(group)
        )
    except KeyError:
        what = f"{group_option} = {entry.pw_gid if group is None else group}"
        raise UsageError(f"{what}: there is no such group on this machine; create it, or name another") from None
    return Owner(uid=entry.pw_uid, gid=of_group.gr_gid, user=entry.pw_name, group=of_group.gr_name)


def check_addresses(found: Takeover) -> None:
    """Raises UsageError, or NotServing where the machine is in the way."""
    named = _named(found)
    for number, (option, address) in enumerate(named):
        for other, earlier in named[:number]:
            if _same(address, earlier):
                raise UsageError(
                    f"{option} = {address}: {other} = {earlier} has that address already; name another or leave one out"
                )
        if tcp := tcp_address(address):
            what, remedy = f"{option} = {address}", "Stop what listens there, or configure another address"
            bound(*tcp, what=what, remedy=remedy).close()
        elif address.startswith("/"):
            _check_path(option, address)


def _named(found: Takeover) -> list[tuple[str, str]]:
    """(option, address) of all that will listen."""
    options = (("http", found.http), ("socket", found.sockets), ("stats", found.stats))
    return [(option, address) for option, addresses in options for address in addresses]


def _same(one: str, other: str) -> bool:
    """Whether two sockets cannot both listen there."""
    first, second = tcp_address(one), tcp_address(other)
    if first is None or second is None or first[1] == 0:
        return one == other and first is None
    return first[1] == second[1] and (first[0] == second[0] or EVERY_ADDRESS in (first[0], second[0]))


def free_port(wanted: int | None, usual: int, found: Takeover) -> int:
    """For the agent's pages: `wanted`, else the usual one, else any that neither somebody nor the configuration has.
    Raises NotServing when the wanted one is taken."""
    theirs = {tcp[1] for _, address in _named(found) if (tcp := tcp_address(address))}
    if wanted in theirs:
        raise NotServing(f"--status-port {wanted} cannot be used: the configuration has that port; choose another")
    for port in [wanted] if wanted is not None else [0] if usual in theirs else [usual, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if wanted is not None:
                    raise NotServing(f"--status-port {wanted} cannot be used: {error.strerror}") from None
                continue
            return int(probe.getsockname()[1])
    raise NotServing("no port of 127.0.0.1 is free for the agent's pages")


def _check_path(option: str, path: str) -> None:
    folder = os.path.dirname(path)
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise NotServing(
            f"{option} = {path}: expected at most {MAX_SOCKET_PATH} bytes, which is all that a unix socket's path may "
            f"have, found {len(os.fsencode(path))}"
        )
    if not os.path.isdir(folder):
        raise NotServing(f"{option} = {path}: the directory {folder} does not exist; create it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotServing(f"{option} = {path}: this user (uid {os.geteuid()}) may not create a socket in {folder}")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise NotServing(f"{option} = {path}: there is a file of that name that is no socket; move it away")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        found = probe.connect_ex(path)
    if found in (0, errno.EAGAIN):
        raise NotServing(f"{option} = {path}: another server listens there; stop it first")
