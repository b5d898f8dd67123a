"""What outlives the operator: two ConfigMaps for each application.

NAME-promoted holds the shape that every pod is to have and new ones start with: the truth. NAME-tuning holds the
pending change, what the tuner remembers and the history; it is never mounted, and losing it does no harm.

Nothing is overwritten that is not the application's own, or that has changed since it was read.
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from uwsgi_autopilot.api.desired import MAX_NUMBER, UNVERSIONED, DesiredShape, Version, version_of
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp
from uwsgi_autopilot.controller import entries
from uwsgi_autopilot.controller.children import NameTaken
from uwsgi_autopilot.controller.kube import Kube, NotFound
from uwsgi_autopilot.controller.seen import desired_in, owner_uid
from uwsgi_autopilot.controller.workqueue import Key
from uwsgi_autopilot.fleet.change import Change
from uwsgi_autopilot.fleet.history import HISTORY, Entry
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.configmaps import promoted_map
from uwsgi_autopilot.resources.labels import PROMOTED_KEY, TUNING_KEY, metadata, promoted_name, tuning_name
from uwsgi_autopilot.tuner.memory import MAX_JSON_BYTES, Memory

Body = dict[str, Any]

MOST_BYTES = 3 * MAX_JSON_BYTES
# Of what the tuner remembers: changes with every second that is observed, although nothing is learnt.
_VOLATILE = ("points", "reference", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """`promoted` None: no shape is stored that can be read. last: the greatest version that was given out by then."""

    promoted: DesiredShape | None = None
    change: Change | None = None
    memory: Memory = field(default_factory=Memory)
    history: tuple[Entry, ...] = ()
    last: Version = UNVERSIONED

    def state(self, app: UwsgiApp) -> FleetState:
        """To go on from."""
        begun = FleetState.begin(app, self.promoted)
        last = max(begun.last, self.last)
        change = self.change if self.change and self.change.fits(begun.promoted) else None
        return replace(begun, change=change, memory=self.memory, history=self.history, last=last)


@dataclass(slots=True)
class Store:
    kube: Kube

    async def load(self, key: Key, uid: str) -> Stored:
        """What this application's own ConfigMaps say; nothing where they are missing or unreadable."""
        promoted = await self._own(key, uid, promoted_name(key.name))
        tuning = await self._own(key, uid, tuning_name(key.name))
        return stored_in(promoted.get("data") or {}, tuning.get("data") or {})

    async def save_promoted(self, key: Key, uid: str, desired: DesiredShape) -> None:
        """Raises NotFound before the first reconcile has made the ConfigMap; NameTaken; Conflict when somebody wrote it
        at the same time."""
        name = promoted_name(key.name)
        await self._write(await self.kube.get("ConfigMap", key.namespace, name), uid, {PROMOTED_KEY: desired.to_text()})

    async def save_tuning(self, key: Key, uid: str, state: FleetState) -> None:
        """Raises NameTaken, Conflict."""
        name = tuning_name(key.name)
        data = {TUNING_KEY: text_of(state)}
        try:
            found = await self.kube.get("ConfigMap", key.namespace, name)
        except NotFound:
            meta = metadata(key.name, key.namespace, uid, name)
            await self.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
            return
        await self._write(found, uid, data)

    async def ensure_promoted(self, app: App, promoted: DesiredShape | None) -> None:
        """Make NAME-promoted where it is missing. promoted: the fleet's; None: it has promoted nothing.

        A version is never written here: whoever promotes a shape does that. Where none was written yet it holds the
        manifest's first shape. Raises NameTaken, Conflict.
        """
        made = promoted_map(app, promoted)
        try:
            found = await self.kube.get("ConfigMap", app.namespace, promoted_name(app.name))
        except NotFound:
            await self.kube.create(made)
            return
        desired = desired_in(found.get("data") or {}, PROMOTED_KEY)
        if desired is None or desired.version == UNVERSIONED:
            await self._write(found, app.uid, made["data"])
        elif owner_uid(found) != app.uid:
            raise NameTaken("ConfigMap", found["metadata"]["name"])

    async def _own(self, key: Key, uid: str, name: str) -> Body:
        try:
            found = await self.kube.get("ConfigMap", key.namespace, name)
        except NotFound:
            return {}
        return found if owner_uid(found) == uid else {}

    async def _write(self, found: Body, uid: str, data: dict[str, str]) -> None:
        """Compare and swap."""
        if owner_uid(found) != uid:
            raise NameTaken("ConfigMap", found["metadata"]["name"])
        known = found.get("data") or {}
        if all(known.get(name) == text for name, text in data.items()):
            return
        meta = found["metadata"]
        seen = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        await self.kube.merge("ConfigMap", meta["namespace"], meta["name"], {"metadata": seen, "data": data})


def stored_in(promoted: Body, tuning: Body) -> Stored:
    """From the texts of the two. Whoever may write ConfigMaps may have written them."""
    desired = desired_in(promoted, PROMOTED_KEY)
    if desired is not None and not _sane(desired.version):
        desired = None
    try:
        data = json.loads(tuning.get(TUNING_KEY, ""))
        return Stored(
            promoted=desired,
            memory=Memory.from_json(data["memory"]),
            change=Change.from_json(data["change"]) if data["change"] else None,
            history=tuple(entries.from_json(each) for each in data["history"][-HISTORY:]),
            last=last if _sane(last := version_of(data["last"])) else UNVERSIONED,
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        return Stored(promoted=desired)


def _sane(version: Version) -> bool:
    """It leaves numbers for later versions."""
    return max(version) < MAX_NUMBER // 2


def text_of(state: FleetState) -> str:
    data = {
        "memory": state.memory.to_json(),
        "change": state.change.to_json() if state.change else None,
        "history": [entries.to_json(each) for each in state.history],
        "last": state.last._asdict(),
    }
    text = json.dumps(data, separators=(",", ":"))
    if len(text) > MOST_BYTES:
        text = json.dumps({**data, "memory": Memory().to_json()}, separators=(",", ":"))
    return text


def decided(state: FleetState) -> str:
    """Changes with each version that is given out and each entry; such a change is saved at once."""
    told = [entries.to_json(each) for each in state.history]
    return json.dumps([state.change.to_json() if state.change else None, told, state.last])


def learnt(state: FleetState) -> str:
    """Changes when the tuner has learnt something, not with every second that was observed."""
    known = state.memory.to_json()
    return json.dumps({name: value for name, value in known.items() if name not in _VOLATILE})
