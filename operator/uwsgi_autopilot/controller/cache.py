"""What the watches have shown, a few fields of each object, and which applications have work waiting.

A hint, never the truth: whoever acts on it reads the object again, or names its uid in the write.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.controller.seen import (
    AppSeen,
    Body,
    ChildSeen,
    PodSeen,
    RolloutSeen,
    child_seen,
    desired_in,
    fingerprint,
    made_for,
    owner_key,
    owner_uid,
    pod_info,
    rollout_seen,
    spec_of,
)
from uwsgi_autopilot.controller.workqueue import Key, Workqueue
from uwsgi_autopilot.fleet.pod import PodInfo
from uwsgi_autopilot.fleet.state import Autoscaler
from uwsgi_autopilot.resources.labels import PROMOTED_KEY, promoted_name


@dataclass(slots=True)
class Cache:
    """specs: applications whose objects are to be brought to what the manifest asks for. statuses: those whose status
    is to be looked at; changed: of these, the ones whose objects have changed, so that they are read again first.

    pods: by uid, those whose ReplicaSet is named like one of the application's (`made_for`); strange: uids of such
    ReplicaSets that its Deployment does not control. rollouts: how far each application's Deployment is. promoted: what
    NAME-promoted holds, with the uid of its owner. autoscalers: of applications, and of what else bears a name
    (autoscalers.py). listed: everything that exists was seen once. on_news: called with each application of which
    something was seen.
    """

    specs: Workqueue = field(default_factory=Workqueue)
    statuses: Workqueue = field(default_factory=Workqueue)
    changed: set[Key] = field(default_factory=set)
    apps: dict[Key, AppSeen] = field(default_factory=dict)
    pods: dict[Key, dict[str, PodSeen]] = field(default_factory=dict)
    strange: dict[Key, frozenset[str]] = field(default_factory=dict)
    children: dict[Key, dict[tuple[str, str], ChildSeen]] = field(default_factory=dict)
    rollouts: dict[Key, RolloutSeen] = field(default_factory=dict)
    promoted: dict[Key, tuple[str, DesiredShape]] = field(default_factory=dict)
    autoscalers: Mapping[Key, Autoscaler] = field(default_factory=dict)
    listed: bool = False
    on_news: Callable[[Key], None] = lambda key: None

    def look_again(self, key: Key, after: float = 0.0) -> None:
        """The objects of this application have changed, so its status may have, too."""
        self.changed.add(key)
        self.statuses.mark(key, after)

    def app(self, body: Body, *, gone: bool = False) -> None:
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        if gone:
            self.apps.pop(key, None)
            self._work(key)
            return
        mark = fingerprint(body, "metadata.generation", "metadata.labels", "metadata.annotations", "metadata.uid",
                           "metadata.deletionTimestamp")  # fmt: skip
        before = self.apps.get(key)
        if before is None or before.mark != mark:
            self.apps[key] = AppSeen(uid=body["metadata"]["uid"], mark=mark, spec=spec_of(body))
            self._work(key)

    def pod(self, body: Body, *, gone: bool = False) -> None:
        key = owner_key(body)
        if key is None or not made_for(body, key.name):
            return
        pods = self.pods.setdefault(key, {})
        uid = body["metadata"]["uid"]
        before = pods.pop(uid, None)
        if not gone:
            pods[uid] = PodSeen(owner=owner_uid(body, "ReplicaSet"), info=pod_info(body))
        elif not pods:
            self._no_pods(key)
        if before != pods.get(uid):
            self.look_again(key, after=0.1)
            self.on_news(key)

    def pods_of(self, key: Key) -> dict[str, PodInfo]:
        """The application's pods, by uid."""
        strange = self.strange.get(key, frozenset())
        return {uid: seen.info for uid, seen in self.pods.get(key, {}).items() if seen.owner not in strange}

    def owners_of(self, key: Key) -> frozenset[str]:
        """The ReplicaSets of these pods, strange ones too."""
        return frozenset(seen.owner for seen in self.pods.get(key, {}).values())

    def controlled(self, key: Key, asked: frozenset[str], found: Set[str]) -> None:
        """Of the ReplicaSets `asked` the application's Deployment controls those in `found`, which were read later."""
        strange = asked - found
        if strange != self.strange.get(key, frozenset()):
            self.strange[key] = strange
            self.on_news(key)

    def _no_pods(self, key: Key) -> None:
        del self.pods[key]
        self.strange.pop(key, None)

    def child(self, body: Body, *, gone: bool = False) -> None:
        key = owner_key(body)
        if key is None:
            return
        children = self.children.setdefault(key, {})
        name = (body["kind"], body["metadata"]["name"])
        before = children.pop(name, None)
        if not gone:
            children[name] = child_seen(body)
        elif not children:
            del self.children[key]
        if name == ("ConfigMap", promoted_name(key.name)):
            self._promoted(key, body, gone)
        # At a start the application itself is news enough: its objects are read then (children.py).
        if before != children.get(name) and (self.listed or before is not None):
            self.specs.mark(key, after=0.1)
        if name == ("Deployment", key.name):
            self.rollouts.pop(key, None)
            if not gone:
                self.rollouts[key] = rollout_seen(body)
            # Its status tells how a rollout is going.
            self.look_again(key, after=0.1)

    def _promoted(self, key: Key, body: Body, gone: bool) -> None:
        self.promoted.pop(key, None)
        desired = None if gone else desired_in(body.get("data") or {}, PROMOTED_KEY)
        if desired is not None:
            self.promoted[key] = (owner_uid(body), desired)
        self.on_news(key)

    def _work(self, key: Key, after: float = 0.0) -> None:
        self.specs.mark(key, after)
        self.on_news(key)

    def uids(self, kind: str) -> set[str]:
        if kind == "Pod":
            return {uid for pods in self.pods.values() for uid in pods}
        if kind == "UwsgiApp":
            return {seen.uid for seen in self.apps.values()}
        return {seen.uid for each in self.children.values() for (is_a, _), seen in each.items() if is_a == kind}

    def forget(self, kind: str, gone: set[str]) -> None:
        """Drop what a complete list no longer has: the watch missed its deletion."""
        for key, pods in list(self.pods.items()) if kind == "Pod" else ():
            for uid in gone & set(pods):
                del pods[uid]
                self.look_again(key)
                self.on_news(key)
            if not pods:
                self._no_pods(key)
        for key, seen in list(self.apps.items()) if kind == "UwsgiApp" else ():
            if seen.uid in gone:
                del self.apps[key]
                self._work(key)
        for key, children in self.children.items():
            for name in [name for name, child in children.items() if name[0] == kind and child.uid in gone]:
                del children[name]
                if name == ("ConfigMap", promoted_name(key.name)):
                    self.promoted.pop(key, None)
                if name == ("Deployment", key.name):
                    self.rollouts.pop(key, None)
                self._work(key)
