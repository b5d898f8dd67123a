"""One clock for whatever is compared, judged or stored: seconds since 1970 that never step back.

Read once from the wall; from then on the machine's own count goes on, so that a step of the clock ends no trial and
renews none. CLOCK_BOOTTIME counts while a laptop sleeps, too.
"""

import time
from datetime import datetime, timezone

_AHEAD = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def steady_now() -> float:
    """The API server's and the pods' times stand on this line up to a step of our wall clock since we began."""
    return _AHEAD + time.clock_gettime(time.CLOCK_BOOTTIME)


def micro_time(at: float) -> str:
    """The API's MicroTime. at: seconds since 1970."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
