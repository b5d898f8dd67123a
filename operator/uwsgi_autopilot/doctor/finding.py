"""What a rule says: one value, and the pages it may point to."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from uwsgi_autopilot.doctor.configuration import Facts

_UWSGI = "https://uwsgi-docs.readthedocs.io/en/latest/"
THINGS_TO_KNOW = _UWSGI + "ThingsToKnow.html"
OPTIONS = _UWSGI + "Options.html"
CHEAPER = _UWSGI + "Cheaper.html"
STATS = _UWSGI + "StatsServer.html"
GRACEFUL = _UWSGI + "articles/TheArtOfGracefulReloading.html"
SERIALIZING = _UWSGI + "articles/SerializingAccept.html"
HTTP = _UWSGI + "HTTP.html"
# Of our own page: what uWSGI's documentation does not say, with the figures that were measured.
_OURS = "docs/doctor.md#"
QUEUE = _OURS + "queue-and-workers"
STOPPING = _OURS + "starting-reloading-stopping"
REACH = _OURS + "who-can-reach-it"
CODE = _OURS + "the-applications-code"
MACHINE = _OURS + "machine-and-container"


class Severity(str, Enum):
    """DANGEROUS: requests are lost, secrets shown, or nothing serves, in ordinary operation. WARNING: so in a case that
    does happen, or the setting does not do what its name says. HINT: better with it, and no harm without."""

    DANGEROUS = "dangerous"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """finding: what is set, and what follows. reason: why, with figures. remedy: the line to write or what to do.
    rule: filled in by `diagnose`, from the name of the function."""

    severity: Severity
    finding: str
    reason: str
    remedy: str
    link: str
    rule: str = ""


Rule = Callable[[Facts], Finding | None]


def name_of(rule: Rule) -> str:
    return rule.__name__.replace("_", "-")
