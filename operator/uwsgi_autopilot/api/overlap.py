"""Which uWSGI options rule out a second generation beside the first: pure.

A change of the threads starts a new uWSGI while the old one finishes. What these options ask for would then run twice
(a cron job, a daemon), or be there twice with half the content each (a cache, a queue).
"""

import re
from collections.abc import Iterable

_TWICE = "would run twice while one generation of uWSGI replaces another"
_APART = "would be two separate ones while one generation of uWSGI replaces another"
_BOUND = "binds an address that two generations of uWSGI cannot both have"

_FAMILIES: tuple[tuple[str, str], ...] = (
    (r"cron2?|unique-cron|legion-cron", _TWICE),
    (r"mules?|farm", _TWICE),
    (r"spooler|spooler-external", _TWICE),
    (r"(smart-)?attach-(control-)?daemon2?|legion-(smart-)?attach-daemon2?", _TWICE),
    (r"(signal-)?(rb)?timer", _TWICE),
    (r"cache2?|cache-store|add-cache-item|load-file-in-cache(-gzip)?", _APART),
    (r"queue|queue-store|sharedarea|py-sharedarea|locks", _APART),
    (r"legion|legion-node|udp|snmp|cache-udp-server", _BOUND),
)


def why_not_twice(name: str) -> str | None:
    """What would happen, as the end of a sentence that begins with the option's name; None: two generations get on."""
    return next((why for family, why in _FAMILIES if re.fullmatch(family, name)), None)


def why_no_swap(options: Iterable[tuple[str, str | None]]) -> str | None:
    """One clause for the first option that allows no second generation, such as "cron = -1 would run twice ..."; None:
    there is none."""
    for name, value in options:
        if why := why_not_twice(name):
            return f"{name}{f' = {value}' if value else ''} {why}"
    return None
