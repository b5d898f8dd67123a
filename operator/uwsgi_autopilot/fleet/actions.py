"""What a plan asks for: values that the operator or local mode carries out, in this order, up to the first failure."""

from dataclasses import dataclass

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.fleet.history import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Tell it: an Event, a log line, a metric. It stands in the state's history already."""

    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePromoted:
    """Keep it where a pod that starts reads it; then call `FleetState.with_stored`."""

    desired: DesiredShape


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDesired:
    """Give it to the pod; then call `delivery.written`."""

    uid: str
    desired: DesiredShape


@dataclass(frozen=True, slots=True, kw_only=True)
class WarnLate:
    """The pod has not reported what was written to it. Asked for once for each desired shape."""

    uid: str
    desired: DesiredShape


Action = Record | StorePromoted | WriteDesired | WarnLate
