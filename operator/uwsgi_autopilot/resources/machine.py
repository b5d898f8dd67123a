"""Files for a virtual machine, from what a uWSGI configuration says: nginx's server block, systemd's unit, tmpfiles and
logrotate. Pure: the same values give the same texts."""

import math
import posixpath
import re
from dataclasses import dataclass

from uwsgi_autopilot.api.address import reached_text
from uwsgi_autopilot.api.takeover import Takeover
from uwsgi_autopilot.uwsgi.logfiles import log_files

# What Debian and Ubuntu call the user that serves web pages.
WEB_USER = "www-data"
# Beyond the longest request: the agent's own deadlines come first.
STOP_MARGIN_SECONDS = 30
WATCHDOG_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """name: of the service and its files. file: the configuration. command: the absolute path of uwsgi-autopilot."""

    name: str
    file: str
    command: str


def service_name(file: str) -> str:
    """`/srv/shop/app.ini` is called shop-app: `app` alone would be the name of half of all services."""
    folder, name = posixpath.split(file)
    words = [posixpath.basename(folder), posixpath.splitext(name)[0]]
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(each for each in words if each)).strip("-.") or "app"


def unit(found: Takeover, place: Place) -> str:
    """A systemd service, for systemd 247 and newer.

    The sandbox leaves what the autopilot needs: netlink for the sockets' queues, /proc for what threads wait for.
    """
    user = [] if found.user or found.owner else [f"User={WEB_USER}", f"Group={WEB_USER}"]
    home = "read-only" if _any_below(found, place, "/home", "/root") else "true"
    return _lines(
        "[Unit]",
        f"Description={place.name}: uWSGI, tuned by uwsgi-autopilot",
        "After=network-online.target",
        "Wants=network-online.target",
        "",
        "[Service]",
        "# Ready when the application answers; a command that hangs is started again.",
        "Type=notify",
        "NotifyAccess=main",
        f"WatchdogSec={WATCHDOG_SECONDS}",
        *user,
        f"WorkingDirectory={posixpath.dirname(place.file)}",
        f"ExecStart={place.command} serve {place.file}",
        "# New code: a new generation of uWSGI beside the old one, no request is lost.",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "# To the command alone: it finishes the requests in service and ends the rest.",
        "KillMode=mixed",
        "TimeoutStartSec=320",
        f"TimeoutStopSec={math.ceil(found.request_seconds) + STOP_MARGIN_SECONDS}",
        "Restart=on-failure",
        "LimitNOFILE=16384",
        "",
        "NoNewPrivileges=true",
        "PrivateTmp=true",
        "PrivateDevices=true",
        "ProtectSystem=full",
        f"ProtectHome={home}",
        "ProtectKernelTunables=true",
        "ProtectKernelModules=true",
        "ProtectControlGroups=true",
        "RestrictSUIDSGID=true",
        "LockPersonality=true",
        "# Netlink tells how many requests wait in the socket's queue; uWSGI always says 0.",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    )


def server_block(found: Takeover, place: Place) -> str:
    """For sites-available, with nginx 1.22 or newer."""
    timeout = f"{math.ceil(found.answer_seconds)}s"
    if found.sockets:
        address = found.sockets[0]
        target = f"unix:{address}" if address.startswith("/") else reached_text(address)
        passing = [
            "include uwsgi_params;",
            "# nginx has read the whole body and says its length: with both headers some frameworks see none.",
            "uwsgi_param HTTP_TRANSFER_ENCODING '' if_not_empty;",
            f"uwsgi_pass {target};",
            "# A request that reached the application runs once.",
            "uwsgi_next_upstream off;",
            "# A session cookie of 4 KB is legal and does not fit into the default of one page.",
            "uwsgi_buffer_size 16k;",
            "uwsgi_buffers 16 16k;",
            f"uwsgi_read_timeout {timeout};",
            f"uwsgi_send_timeout {timeout};",
        ]
    else:
        passing = [
            f"proxy_pass http://{reached_text(found.http[0])};",
            "proxy_http_version 1.1;",
            "proxy_set_header Host $http_host;",
            "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
            "proxy_set_header X-Forwarded-Proto $scheme;",
            "proxy_next_upstream off;",
            f"proxy_read_timeout {timeout};",
        ]
    return _lines(
        "server {",
        "    listen 80;",
        "    listen [::]:80;",
        f"    server_name {place.name}.example.com;  # yours",
        "    client_max_body_size 10m;",
        "",
        "    # Files that nginx serves by itself:",
        "    # location /static/ { alias /srv/shop/static/; }",
        "",
        "    location / {",
        *(f"        {each}" for each in passing),
        "    }",
        "}",
    )


def tmpfiles(found: Takeover) -> str | None:
    """Directories below /run, which is empty after each boot; None: it needs none."""
    user, group = (found.user, found.group) if found.user else (found.owner or (WEB_USER, None))
    group = group or found.group or user
    paths = [*found.sockets, *found.stats, *found.pidfiles, *found.http]
    folders = {posixpath.dirname(each) for each in paths if each.startswith("/run/")} - {"/run"}
    if not folders:
        return None
    return _lines("# Type Path Mode User Group Age", *(f"d {each} 0755 {user} {group} -" for each in sorted(folders)))


def logrotate(found: Takeover, cwd: str) -> str | None:
    """For the files that every generation appends to; None: uWSGI logs to no file."""
    paths = sorted({posixpath.normpath(posixpath.join(cwd, each)) for each in log_files(found.options, requests=True)})
    if not paths:
        return None
    return _lines(
        *paths,
        "{",
        "    weekly",
        "    rotate 8",
        "    compress",
        "    missingok",
        "    notifempty",
        "    # uWSGI appends, so it goes on at the beginning of the emptied file.",
        "    copytruncate",
        "}",
    )


def _any_below(found: Takeover, place: Place, *folders: str) -> bool:
    return any(
        each.startswith(f"{folder}/") for each in (place.file, place.command, found.folder) for folder in folders
    )


def _lines(*lines: str) -> str:
    return "".join(f"{each}\n" for each in lines)
