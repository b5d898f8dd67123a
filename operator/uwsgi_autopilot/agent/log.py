"""One line a happening, to standard error: words for a person, then fields for a machine."""

import sys
import time
from contextlib import suppress
from typing import Any


def log(level: str, message: str, **fields: Any) -> None:
    """info is for the person who installed it, warning tells the consequence, error what to do."""
    told = "".join(f" {name}={value}" for name, value in fields.items())
    stamp = time.strftime("%H:%M:%S")
    with suppress(OSError):  # that nobody reads any more is no reason to leave requests unanswered
        print(f"{stamp} agent {level}: {message}{told}", file=sys.stderr, flush=True)
