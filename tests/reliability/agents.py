"""Thousands of agents behind one HTTP server: each pod has an address of its own in 127.0.0.0/8, where it is asked.

An agent follows its pod's annotation by the agent's own rules (agent/following.py) and reports in the agent's own
format (api/agentstate.py). Its seconds are not simulated but written down when somebody asks for them.
"""

import asyncio
import contextlib
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.reliability.load import IDLE, VARIANTS, Load, second
from uwsgi_autopilot.agent.following import Following
from uwsgi_autopilot.api.agentconfig import AGENT_PORT, AgentConfig
from uwsgi_autopilot.api.agentstate import MAX_SAMPLES, AgentState, ChangeProgress
from uwsgi_autopilot.api.desired import InvalidDesiredShape, parse_desired
from uwsgi_autopilot.api.shape import Shape

SWAP_SECONDS = 1.5
UNSETTLED_SECONDS = 2.0

# What an agent does instead of answering: it gets its connection and the question, and may write anything.
Fault = Callable[["Agent", asyncio.Transport, int], None]


@dataclass(slots=True, kw_only=True)
class Agent:
    """pid: changes when the agent is a new one. born: when its clock began. spans: (its first second, what the sample
    says) of the last five minutes. asked: how often it was; asked_at: when last, monotonic seconds. fault: what it does
    instead of answering."""

    uid: str
    app: str
    ip: str
    following: Following
    pid: int = 7
    born: float = field(default_factory=time.monotonic)
    load: Load = IDLE
    shape: Shape
    generation: int = 1
    changing: asyncio.TimerHandle | None = None
    settled_at: float = 0.0
    spans: list[tuple[int, tuple[Load, Shape, int, bool]]] = field(default_factory=list)
    annotation: str | None = None
    asked: int = 0
    asked_at: float | None = None
    annotated_at: float | None = None
    fault: Fault | None = None

    def __post_init__(self) -> None:
        self._changed()

    @property
    def now(self) -> float:
        """On its clock."""
        return time.monotonic() - self.born + MAX_SAMPLES

    def put(self, load: Load) -> None:
        self.load = load
        self._changed()

    def follow(self, annotation: str | None) -> None:
        """As the kubelet's downward API and the agent's follower do."""
        if annotation is None or annotation == self.annotation:
            return
        self.annotation, self.annotated_at = annotation, time.monotonic()
        with contextlib.suppress(InvalidDesiredShape):
            self._receive(self.following.receive(parse_desired(annotation), config_of(self), self.now))

    def _receive(self, following: Following) -> None:
        before, self.following = self.following.target, following
        if following.trial is not None:
            asyncio.get_running_loop().call_later(following.trial.expires_at - self.now + 0.01, self._expire)
        if following.target != before:
            self._swap()

    def _expire(self) -> None:
        self._receive(self.following.expire(self.now))

    def _swap(self) -> None:
        if self.changing is not None:
            self.changing.cancel()
        self.changing = asyncio.get_running_loop().call_later(SWAP_SECONDS, self._swapped)
        self._changed()

    def _swapped(self) -> None:
        self.changing, self.shape = None, self.following.target
        self.generation += 1
        self.settled_at = self.now + UNSETTLED_SECONDS
        self._changed()
        asyncio.get_running_loop().call_later(UNSETTLED_SECONDS, self._changed)

    def _changed(self) -> None:
        settled = self.changing is None and self.now >= self.settled_at
        self.spans.append((int(self.now) + 1, (self.load, self.shape, self.generation, settled)))
        oldest = int(self.now) - MAX_SAMPLES
        while len(self.spans) > 1 and self.spans[1][0] <= oldest:
            del self.spans[0]

    def state(self) -> AgentState:
        following, now = self.following, self.now
        change = self.changing
        return AgentState(
            agent="0.1.0", app=self.app, uid=self.uid, pid=self.pid, now=now, serving=True, ready=True,
            shape=self.shape, target=following.target, accepted=following.accepted.version,
            on_trial=following.trial is not None, refused=following.refused, generation=self.generation, uwsgi="2.0.31",
            change=None if change is None else ChangeProgress(kind="swap", to=following.target, seconds=1.0),
        )  # fmt: skip

    def answer(self, since: int) -> bytes:
        head = json.dumps({**self.state().to_json(), "samples": None}).removesuffix("null}")
        newest = int(self.now)
        first = max(since + 1, newest - MAX_SAMPLES + 1, 1)
        texts = [self._sample(seq) for seq in range(first, newest + 1)]
        return f"{head}[{', '.join(texts)}]}}".encode()

    def _sample(self, seq: int) -> str:
        span = next((what for begun, what in reversed(self.spans) if begun <= seq), self.spans[0][1])
        return f'{{"seq": {seq}, "at": {float(seq)}, {second(*span, seq * 5 % VARIANTS)}'


def config_of(agent: Agent) -> AgentConfig:
    return AgentConfig(
        name=agent.app, uid=agent.uid, uwsgi=("uwsgi",), module="wsgi:app", start=agent.shape, chdir=".", socket="/s",
        private="/p", desired="/d", promoted="/p", listen=("unix:/l",),
    )  # fmt: skip


class Agents:
    """by_ip: those that can be asked. Works between `async with` and its end."""

    def __init__(self, port: int = AGENT_PORT) -> None:
        self.port = port
        self.by_ip: dict[str, Agent] = {}
        self.by_uid: dict[str, Agent] = {}
        self.connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Agents":
        room_for_connections()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "0.0.0.0", self.port, backlog=4096)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for each in list(self.connections):
            each.abort()

    def add(self, agent: Agent) -> None:
        self.by_ip[agent.ip] = self.by_uid[agent.uid] = agent

    def remove(self, uid: str) -> None:
        agent = self.by_uid.pop(uid, None)
        if agent is not None and self.by_ip.get(agent.ip) is agent:
            del self.by_ip[agent.ip]

    def of(self, app: str) -> list[Agent]:
        return [each for each in self.by_uid.values() if each.app == app]


class Connection(asyncio.Protocol):
    """Requests without a body, one after the other."""

    def __init__(self, agents: Agents) -> None:
        self.agents = agents
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.agents.connections.add(transport)
        self.ip = transport.get_extra_info("sockname")[0]

    def connection_lost(self, exc: Exception | None) -> None:
        self.agents.connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        agent = self.agents.by_ip.get(self.ip)
        if agent is None:
            self.transport.abort()
            return
        agent.asked += 1
        agent.asked_at = time.monotonic()
        target = head.split(b" ", 2)[1].decode()
        since = int(target.partition("since=")[2] or -1)
        if agent.fault is not None:
            agent.fault(agent, self.transport, since)
        else:
            self.transport.write(ok(agent.answer(since)))


def ok(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def room_for_connections() -> None:
    """A connection for each pod, and a new one for each that is followed again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < want:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))
