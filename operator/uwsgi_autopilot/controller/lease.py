"""Which of several operators decides: the one that holds a Lease, as with kube-controller-manager.

    follower, looks every LOOK_SECONDS ── it is nobody's, or was not renewed for LEASE_SECONDS ──► leader
    leader ── renews it every RENEW_SECONDS ──► leader
    leader ── another one holds it, or no renewal for DEADLINE_SECONDS ──► NotLeader: its process ends
    leader ── SIGTERM: its last write is done ──► released; a follower has it at its next look

Not the Kubernetes client's own election: that compares wall clocks, waits for an answer without a limit and never gives
the Lease back. Here every moment is of this process's own clock, which counts while the machine sleeps: another
operator's Lease has run out when it was seen unchanged for its duration.

A Lease cannot stop a request that is on its way. Therefore it is never the source of a version: the ConfigMaps are
compared and swapped, and agents refuse an older epoch (api/desired.py).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from uwsgi_autopilot.controller.clock import micro_time, steady_now
from uwsgi_autopilot.controller.kube import ApiError, Conflict, Kube, NotFound, NotLeader, Unreachable

log = logging.getLogger(__name__)

# kube-controller-manager has 15, 10 and 2. Shorter, for decisions to go on within 20 s of a SIGKILL, 5 s of a SIGTERM:
# a leader costs the API server one request a second, and so does a follower.
LEASE_SECONDS = 10
DEADLINE_SECONDS = 7.0
RENEW_SECONDS = 2.0
LOOK_SECONDS = 1.0
REQUEST_SECONDS = 3.0
API_VERSION = "coordination.k8s.io/v1"

Body = dict[str, Any]


class Lease:
    """identity: of this process, also among those of the same pod. holder: who was last seen to hold it; None: nobody
    has looked yet. renewed_at: when the last renewal that succeeded was begun."""

    def __init__(self, kube: Kube, namespace: str, name: str, identity: str,
                 clock: Callable[[], float] = steady_now) -> None:  # fmt: skip
        """kube: one of its own, for its writes ask nobody whether they may be made."""
        self.kube = kube
        self.namespace = namespace
        self.name = name
        self.identity = identity
        self.clock = clock
        self.holder: str | None = None
        self.renewed_at = float("-inf")
        self._seen: Body = {}
        self._seen_at = float("-inf")
        self._trouble = ""

    def left(self) -> float:
        """Seconds for which nobody else can have it. Raises NotLeader: none."""
        left = DEADLINE_SECONDS - (self.clock() - self.renewed_at)
        if left <= 0:
            raise NotLeader(self._why_not())
        return left

    async def acquire(self) -> None:
        """Ends when this process is the leader."""
        while True:
            if await self.attempt():
                break
            await asyncio.sleep(LOOK_SECONDS)
        log.info("leading lease=%s/%s identity=%s", self.namespace, self.name, self.identity)

    async def release(self) -> None:
        """After the last write. Where it fails, the Lease runs out."""
        if self.holder != self.identity:
            return
        self.renewed_at = float("-inf")
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                found = await self.kube.get("Lease", self.namespace, self.name)
                if found["spec"].get("holderIdentity") == self.identity:
                    await self._write(found, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except (ApiError, Unreachable, TimeoutError) as error:
            log.warning("the lease was not given back, it runs out in %d s: %s", LEASE_SECONDS, error)
        self.holder = ""

    async def attempt(self) -> bool:
        """Acquire or renew, once. leasekeeper.py does this again and again for as long as the operator leads."""
        began = self.clock()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                if not await self._acquired():
                    return False
        except (Conflict, NotFound):
            return False  # another one was quicker
        except (ApiError, Unreachable, TimeoutError) as error:
            self._tell(str(error) or f"no answer within {REQUEST_SECONDS:.0f} s")
            return False
        self.holder, self.renewed_at, self._trouble = self.identity, began, ""
        return True

    async def _acquired(self) -> bool:
        """Raises ApiError, Unreachable."""
        now = micro_time(time.time())  # for people: nobody compares it
        ours = {"holderIdentity": self.identity, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
        try:
            found = await self.kube.get("Lease", self.namespace, self.name)
        except NotFound:
            if self.holder not in (None, "", self.identity) and self.clock() - self._seen_at < LEASE_SECONDS:
                return False  # somebody deleted it: whoever holds it makes it again at the next renewal
            meta = {"name": self.name, "namespace": self.namespace}
            spec = {**ours, "acquireTime": now, "leaseTransitions": 0}
            await self.kube.create({"apiVersion": API_VERSION, "kind": "Lease", "metadata": meta, "spec": spec})
            return True
        seen = found.get("spec") or {}
        self.holder = seen.get("holderIdentity") or ""
        if self.holder != self.identity:
            self.renewed_at = float("-inf")
            if seen != self._seen:
                self._seen, self._seen_at = seen, self.clock()
            if self.holder and self.clock() - self._seen_at < (seen.get("leaseDurationSeconds") or LEASE_SECONDS):
                return False
            ours |= {"acquireTime": now, "leaseTransitions": (seen.get("leaseTransitions") or 0) + 1}
        await self._write(found, ours)
        return True

    async def _write(self, found: Body, spec: Body) -> None:
        """Compare and swap."""
        meta = {"uid": found["metadata"]["uid"], "resourceVersion": found["metadata"]["resourceVersion"]}
        await self.kube.merge("Lease", self.namespace, self.name, {"metadata": meta, "spec": spec})

    def _tell(self, trouble: str) -> None:
        """Once, until it succeeds again."""
        if not self._trouble:
            log.warning("the lease %s/%s cannot be read or written, retrying: %s", self.namespace, self.name, trouble)
        self._trouble = trouble

    def _why_not(self) -> str:
        lease = f"the lease {self.namespace}/{self.name}"
        if self.holder not in (None, self.identity, ""):
            return f"{lease} is held by {self.holder}: this operator writes nothing"
        ago = self.clock() - self.renewed_at
        if ago == float("inf"):
            return f"{lease} is not held: this operator writes nothing"
        why = f" ({self._trouble})" if self._trouble else ""
        return (
            f"{lease} was last renewed {ago:.0f} s ago, {DEADLINE_SECONDS:.0f} s are allowed{why}: nothing is written"
        )
