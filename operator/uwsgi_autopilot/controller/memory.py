"""What outlives the operator: two ConfigMaps of each application.

NAME-promoted holds the wish that every pod is to follow and new ones start with: the truth. NAME-tuning holds what
the tuner remembers, the trial that runs and the history; never mounted, and lost without harm.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from uwsgi_autopilot.api.wish import Wish, WishError, parse_wish
from uwsgi_autopilot.controller import history
from uwsgi_autopilot.controller.kube import Conflict, Kube, NotFound
from uwsgi_autopilot.controller.mirror import Key, owner_uid
from uwsgi_autopilot.controller.pilot import Pilot
from uwsgi_autopilot.controller.trial import Trial
from uwsgi_autopilot.resources.labels import PROMOTED_KEY, TUNING_KEY, metadata, promoted_name, tuning_name
from uwsgi_autopilot.tuner.decision import Entry
from uwsgi_autopilot.tuner.memory import MAX_JSON_BYTES, Memory

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """`promoted` None: no wish was ever promoted. `seq`: the greatest that was known when it was written."""

    promoted: Wish | None = None
    memory: Memory = field(default_factory=Memory)
    trial: Trial | None = None
    history: tuple[Entry, ...] = ()
    seq: int = 0


async def load(kube: Kube, key: Key, uid: str) -> Remembered:
    """What the ConfigMaps of this very application say; nothing where they are missing or not readable."""
    promoted = await _get(kube, key, uid, promoted_name(key.name))
    tuning = await _get(kube, key, uid, tuning_name(key.name))
    return remembered(promoted, tuning)


async def save_promoted(kube: Kube, key: Key, uid: str, wish: Wish) -> Body:
    """Returns the ConfigMap as it is then.

    Raises NotFound before the first reconcile has made that of this very application, Conflict when another one, or
    another text, took its place meanwhile.
    """
    name = promoted_name(key.name)
    found = await kube.get("ConfigMap", key.namespace, name)
    if owner_uid(found) != uid:
        raise NotFound(404, "NotFound", f"ConfigMap {name} does not belong to this application: it stays as it is")
    meta = {field: found["metadata"][field] for field in ("uid", "resourceVersion")}
    body = {"metadata": meta, "data": {PROMOTED_KEY: wish.to_text()}}
    return {"kind": "ConfigMap", **await kube.merge("ConfigMap", key.namespace, name, body)}


async def save_tuning(kube: Kube, key: Key, uid: str, pilot: Pilot) -> None:
    """Raises Conflict when an object of that name belongs to somebody else."""
    name = tuning_name(key.name)
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(key.name, key.namespace, uid, name),
        "data": {TUNING_KEY: text_of(pilot)},
    }
    try:
        found = await kube.get("ConfigMap", key.namespace, name)
    except NotFound:
        await kube.create(body)
        return
    if owner_uid(found) != uid:
        raise Conflict(409, "NameTaken", f"ConfigMap {name} does not belong to this application: it stays as it is")
    await kube.merge(
        "ConfigMap", key.namespace, name, {"metadata": {"uid": found["metadata"]["uid"]}, "data": body["data"]}
    )


def text_of(pilot: Pilot) -> str:
    data = {
        "memory": pilot.memory.to_json(),
        "trial": pilot.trial.to_json() if pilot.trial else None,
        "history": [history.to_json(each) for each in pilot.history],
        "seq": pilot.wishes.seq,
    }
    text = json.dumps(data, separators=(",", ":"))
    if len(text) > 2 * MAX_JSON_BYTES:
        data["memory"] = Memory().to_json()
        text = json.dumps(data, separators=(",", ":"))
    return text


def mark_of(pilot: Pilot) -> str:
    """Changes when something was learnt or decided, not with every second that was looked at."""
    known = pilot.memory.to_json()
    for name in ("points", "reference", "seq", "at", "decision"):
        del known[name]
    trial = pilot.trial.to_json() if pilot.trial else None
    return json.dumps([known, trial, [history.to_json(each) for each in pilot.history], pilot.wishes.seq])


def remembered(promoted: Body, tuning: Body) -> Remembered:
    wish: Wish | None
    try:
        wish = parse_wish(promoted.get(PROMOTED_KEY, ""))
    except WishError:
        wish = None
    try:
        data = json.loads(tuning.get(TUNING_KEY, ""))
        return Remembered(
            promoted=wish,
            memory=Memory.from_json(data["memory"]),
            trial=Trial.from_json(data["trial"]) if data["trial"] else None,
            history=tuple(history.from_json(each) for each in data["history"][-history.HISTORY :]),
            seq=max(int(data["seq"]), wish.seq if wish else 0),
        )
    except Exception:  # whoever may write it may write anything there: it is lost without harm
        return Remembered(promoted=wish, seq=wish.seq if wish else 0)


async def _get(kube: Kube, key: Key, uid: str, name: str) -> Body:
    try:
        found = await kube.get("ConfigMap", key.namespace, name)
    except NotFound:
        return {}
    data: Body = found.get("data") or {}
    return data if owner_uid(found) == uid else {}
