"""What kubelets do, for pods that nobody schedules: give each an address, report it running, pass on annotations."""

import asyncio
import contextlib
from datetime import datetime, timezone

from tests.reliability.agents import Agent, Agents
from tests.reliability.api import Api, Body, Refused
from tests.reliability.kindcluster import WEB
from uwsgi_autopilot.agent.following import Following
from uwsgi_autopilot.api.desired import InvalidDesiredShape, parse_desired
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.resources.labels import APP, DESIRED, PROMOTED_KEY, promoted_name

AT_ONCE = 16
START = Shape(1, 2)  # where no ConfigMap says so
DELAY_SECONDS = 0.2  # from the annotation to the file; a real kubelet may take a minute


class Kubelet:
    """started: how many pods were reported running."""

    def __init__(self, api: Api, agents: Agents) -> None:
        self.api = api
        self.agents = agents
        self.pods: dict[str, Body] = {}
        self.starting: set[str] = set()
        self._number = 0
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await self.api.follow("Pod", WEB, self._seen, APP)

    @property
    def started(self) -> int:
        return len(self.agents.by_uid)

    def _seen(self, kind: str, body: Body) -> None:
        uid = body["metadata"]["uid"]
        if kind == "DELETED":
            self.pods.pop(uid, None)
            self.agents.remove(uid)
            return
        self.pods[uid] = _small(body)
        agent = self.agents.by_uid.get(uid)
        if agent is not None:
            annotation = body["metadata"].get("annotations", {}).get(DESIRED)
            asyncio.get_running_loop().call_later(DELAY_SECONDS, agent.follow, annotation)
        elif uid not in self.starting:
            self.starting.add(uid)
            task = asyncio.create_task(self._start(body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _start(self, body: Body) -> None:
        meta = body["metadata"]
        app = meta["labels"][APP]
        async with self._gate:
            ip = (body.get("status") or {}).get("podIP") or self._address()
            following = await self._following(app)
            if meta["uid"] not in self.pods:
                self.starting.discard(meta["uid"])
                return  # it was deleted meanwhile
            agent = Agent(uid=meta["uid"], app=app, ip=ip, following=following, shape=following.target)
            self.agents.add(agent)
            agent.follow(meta.get("annotations", {}).get(DESIRED))
            if (body.get("status") or {}).get("phase") == "Running":
                self.starting.discard(meta["uid"])
                return  # an earlier run has written it
            with contextlib.suppress(Refused):
                await self.api.merge("Pod", WEB, meta["name"], {"status": running(body, ip)}, "status")
        self.starting.discard(meta["uid"])

    async def _following(self, app: str) -> Following:
        """As the agent begins: with what NAME-promoted says."""
        found = await self.api.get("ConfigMap", WEB, promoted_name(app)) or {}
        try:
            desired = parse_desired(found.get("data", {}).get(PROMOTED_KEY, ""))
        except InvalidDesiredShape:
            return Following.start(START)
        return Following.start(desired.shape, desired)

    def _address(self) -> str:
        """127.1.0.1 and on."""
        while True:
            self._number += 1
            high, low = divmod(self._number, 250)
            ip = f"127.{1 + high // 250}.{high % 250}.{low + 1}"
            if ip not in self.agents.by_ip:
                return ip


def running(body: Body, ip: str) -> Body:
    """The status of a pod all of whose containers run and are ready."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    spec = body["spec"]
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": now,
        "conditions": [{"type": each, "status": "True", "lastTransitionTime": now} for each in kinds],
        "containerStatuses": [
            {
                "name": each["name"], "image": each["image"], "imageID": "sha256:0", "containerID": "containerd://0",
                "ready": True, "started": True, "restartCount": 0, "state": {"running": {"startedAt": now}},
            }
            for each in spec["containers"]
        ],
    }  # fmt: skip


def _small(body: Body) -> Body:
    meta = body["metadata"]
    return {"name": meta["name"], "app": meta["labels"][APP], "annotations": meta.get("annotations", {})}
