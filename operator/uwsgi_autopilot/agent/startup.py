"""Before the agent starts: fill in what only this process knows, and refuse a configuration that cannot work."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from uwsgi_autopilot.api.agentconfig import MAX_SOCKET_PATH, AgentConfig
from uwsgi_autopilot.api.desired import ALL_PODS
from uwsgi_autopilot.kernel.spawn import path_with

# A configuration is shared by all pods of an application, so each learns its own uid from its environment.
POD_UID = "AUTOPILOT_POD_UID"


def at_home(config: AgentConfig, environ: Mapping[str, str], interpreter: str) -> AgentConfig:
    """With this pod's uid, and with uWSGI's path where the configuration gives a bare name.

    uWSGI is looked for beside our own interpreter, where pip puts it, then in PATH: /venv/bin/python means
    /venv/bin/uwsgi. Its directory goes first in PATH.
    """
    if config.uid == ALL_PODS and environ.get(POD_UID):
        config = replace(config, uid=environ[POD_UID])
    beside = Path(interpreter).parent / config.uwsgi[0]
    if "/" not in config.uwsgi[0] and os.access(beside, os.X_OK):
        config = replace(
            config, uwsgi=(str(beside), *config.uwsgi[1:]), env=(("PATH", path_with(str(beside), environ)), *config.env)
        )
    return config


def check(config: AgentConfig) -> None:
    """Raises ValueError with one sentence when a path cannot work."""
    private = f"{config.private}/g999999.stats"
    sockets = (config.socket, *config.more_sockets, *config.stats)
    for path in (*(each for each in sockets if each.startswith("/")), private, config.log_socket or ""):
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            raise ValueError(
                f"{path}: expected at most {MAX_SOCKET_PATH} bytes, found {len(os.fsencode(path))}: "
                f"a unix socket cannot have a longer path; use a shorter run directory"
            )
