"""Report what happened to an application's shape: a log line, a metric and an Event with the same words."""

import logging

from uwsgi_autopilot.api.agentstate import Recycled
from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.controller.counters import Counters
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.history import Entry, Kind
from uwsgi_autopilot.fleet.pod import Pod
from uwsgi_autopilot.report.reasons import Reason

log = logging.getLogger(__name__)

# What a person should look at.
WARNINGS = frozenset({Kind.REFUSE, Kind.UNDECIDED})


def tell(events: Events, counters: Counters, key: Key, uid: str, entry: Entry) -> None:
    kind = entry.kind.value
    counters.decision(key, kind, entry.reason)
    log.info(
        "decision action=%s shape=%s->%s reason=%s app=%s: %s",
        kind, entry.from_shape, entry.to_shape, entry.reason, key, entry.message,
    )  # fmt: skip
    shapes = f"{entry.from_shape} → {entry.to_shape}"
    note = entry.message if entry.message.startswith(shapes) else f"{shapes}: {entry.message}"
    events.tell(key, uid, reason=entry.reason, note=note, action=kind, warning=entry.kind in WARNINGS)


def tell_recycled(events: Events, key: Key, uid: str, pod: Pod, recycled: Recycled) -> None:
    note = f"pod {pod.name}: {recycled.message}"
    log.warning("recycled app=%s: %s", key, note)
    events.tell(key, uid, reason=Reason.RECYCLED.value, note=note, action="recycle", warning=True)


def tell_late(events: Events, key: Key, uid: str, pod: Pod, desired: DesiredShape) -> None:
    note = (
        f"pod {pod.name} has not reported {desired.shape}, which was written to it: see the agent's log for what it has"
    )
    log.warning("shape not delivered app=%s version=%s: %s", key, desired.version, note)
    events.tell(key, uid, reason=Reason.SHAPE_NOT_DELIVERED.value, note=note, action="change", warning=True)
