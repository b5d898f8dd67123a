"""One line per event, to standard error: words for a person, then fields for a machine."""

import time
from typing import Any

from uwsgi_autopilot.agent.relay import ERR, relay_to
from uwsgi_autopilot.report.text import readable


def log(level: str, message: str, **fields: Any) -> None:
    """info is for the person who installed it, warning tells the consequence, error what to do.

    Never waits for a reader, and reveals no secrets.
    """
    told = "".join(f" {name}={value}" for name, value in fields.items())
    line = f"{time.strftime('%H:%M:%S')} agent {level}: {readable(message + told)}\n"
    relay_to(ERR).put(line.encode(), patience=0.0)
