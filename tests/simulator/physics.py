"""The few constants of the simulated machine, each with what it was fitted to or measured as.

Seconds of CPU unless it says otherwise.
"""

from dataclasses import dataclass

SWITCH_INTERVAL_S = 0.005  # sys.getswitchinterval()


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """slice_s: how long a thread computes while others wait for a core (EEVDF's base slice and a tick of 250 Hz).
    wake_s: from the moment that a thread is woken until it runs on a core that was idle; nobody computes meanwhile.
    switch_s: a core turns to another thread. cold_s: and that thread is of another process. poll_s: a thread that waits
    for the interpreter lock wakes, looks and sleeps again, each 5 ms. accept_s: take a request from the queue, and hand
    the right to take the next one on. front_s: nginx and the load generator, per request.
    """

    slice_s: float = 0.004
    protected_s: float = 0.0007
    grace_s: float = 0.004
    stay: float = 1.0
    busy: float = 0.4
    wake_s: float = 0.00006
    switch_s: float = 0.00001
    cold_s: float = 0.00006
    chill_s: float = 0.0001
    poll_s: float = 0.000006
    accept_s: float = 0.00003
    front_s: float = 0.00016


PHYSICS = Physics()
