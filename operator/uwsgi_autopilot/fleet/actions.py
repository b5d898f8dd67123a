"""What a plan asks for. The operator or local mode carries the actions out in order, up to the first failure."""

from dataclasses import dataclass

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.fleet.history import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Report it: an Event, a log line, a metric. The state's history has it already."""

    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePromoted:
    """Store it where a starting pod reads it, then call `FleetState.with_stored`."""

    desired: DesiredShape


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDesired:
    """Write it for the pod, then call `delivery.written`."""

    uid: str
    desired: DesiredShape


@dataclass(frozen=True, slots=True, kw_only=True)
class WarnLate:
    """The pod has not reported what was written for it. Once for each desired shape."""

    uid: str
    desired: DesiredShape


Action = Record | StorePromoted | WriteDesired | WarnLate
