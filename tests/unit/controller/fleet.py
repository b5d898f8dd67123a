"""Several simulated pods with an agent each, and a pilot for them: a second of the story is one call."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.simulator.observe import Observer
from tests.simulator.pod import Pod
from tests.simulator.workload import Workload
from uwsgi_autopilot.agent.wanted import Refusal, WishFile
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import TuningSpec, UwsgiApp
from uwsgi_autopilot.api.wish import Wish
from uwsgi_autopilot.controller.mirror import PodSeen
from uwsgi_autopilot.controller.pilot import Pilot
from uwsgi_autopilot.controller.podview import PodView
from uwsgi_autopilot.controller.wishes import Wishes
from uwsgi_autopilot.report.reasons import WishReason

EPOCH = 1_800_000_000.0
SWAP_S = 1.5
START = Shape(2, 4)


@dataclass(slots=True)
class SimAgent:
    """What the agent does with its file, over the simulated pod."""

    uid: str
    pod: Pod
    folder: Path
    start: Shape
    wishes: WishFile = field(init=False)
    observer: Observer = field(init=False)
    samples: list[Any] = field(default_factory=list)
    target: Shape = field(init=False)
    annotation: str | None = None
    deaf: bool = False
    silent: bool = False
    full: bool = False  # no memory for another shape: the wish is accepted and cannot be carried out
    no_room_for: Shape | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = AgentConfig(
            name="shop", uwsgi=("uwsgi",), module="wsgi:app", chdir="/", socket="/s", private="/p",
            wanted=str(self.folder / "wanted"), start=self.start, listen=("unix:/l",), uid=self.uid,
        )  # fmt: skip
        self.wishes = WishFile(config)
        self.observer = Observer(self.pod)
        self.target = self.start

    def second(self, now: float) -> None:
        if self.annotation is not None and not self.deaf:
            (self.folder / "wanted").write_text(self.annotation)
        wanted = self.wishes.poll(now, self.pod.shape)
        if wanted is not None:
            self.no_room_for = wanted if self.full and wanted != self.target else None
        if wanted is not None and wanted != self.target and self.no_room_for is None:
            self.target = wanted
            self.pod.change(wanted, SWAP_S)
        self.samples.append(self.observer.second())

    def state(self, now: float, since: int) -> dict[str, Any]:
        refused = self.wishes.refused
        if self.no_room_for is not None:
            refused = Refusal(reason=WishReason.MEMORY_LIMIT, message="does not fit", shape=self.no_room_for)
        accepted = self.wishes.accepted
        return {
            "version": 1,
            "agent": "0.1.0",
            "uid": self.uid,
            "now": now,
            "serving": True,
            "draining": False,
            "shape": self.pod.shape.to_json(),
            "target": self.target.to_json(),
            "accepted": {"seq": accepted.seq, **accepted.shape.to_json()} if accepted else None,
            "change": None if self.pod.settled else {"to": self.target.to_json()},
            "refused": None
            if refused is None
            else {"reason": refused.reason, "message": refused.message, "seq": refused.seq,
                  "shape": refused.shape.to_json() if refused.shape else None},
            "samples": [each.to_json() for each in self.samples if each.seq > since],
        }  # fmt: skip


class Fleet:
    """`clients` pinned connections for each pod. Pods were ready long ago unless they are added later."""

    def __init__(
        self, tmp_path: Path, load: Workload, *, pods: int = 3, clients: int = 32, start: Shape = START,
        tuning: TuningSpec | None = None,
    ) -> None:  # fmt: skip
        self.tmp_path = tmp_path
        self.load, self.start = load, start
        self.now = 1000.0
        self.agents: dict[str, SimAgent] = {}
        self.seen: dict[str, PodSeen] = {}
        self.spec = UwsgiApp(name="shop", module="wsgi:app", tuning=tuning or TuningSpec(start=start))
        self.pilot = self.new_pilot()
        for number in range(pods):
            self.add(f"pod-{number}", clients=clients, seed=number + 1, ready_at=EPOCH)
        self.told: list[tuple[int, str, str]] = []
        self.second_number = 0
        self.down = False

    def new_pilot(self) -> Pilot:
        return Pilot(spec=self.spec, wishes=Wishes(promoted=Wish(seq=0, shape=self.start)))

    def add(self, uid: str, *, clients: int, seed: int = 9, ready_at: float | None = None) -> None:
        pod = Pod(self.load, self.start, clients=clients, seed=seed)
        self.agents[uid] = SimAgent(uid, pod, self.tmp_path / uid, self.start)
        self.seen[uid] = PodSeen(
            uid=uid, name=uid, ip="10.0.0.1", ready=True, running=True, leaving=False, revision="a", wanted=None,
            restarts=0, ready_at=EPOCH + self.now if ready_at is None else ready_at,
        )  # fmt: skip

    def remove(self, uid: str) -> None:
        del self.agents[uid], self.seen[uid]

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self.second_number += 1
            for agent in self.agents.values():
                agent.second(self.now)
            if not self.down:
                self._operator()

    def _operator(self) -> None:
        pilot = self.pilot
        for uid in set(pilot.pods) - set(self.agents):
            del pilot.pods[uid]
        for uid, agent in self.agents.items():
            view = pilot.pods.setdefault(uid, PodView(uid=uid, name=uid, ip="10.0.0.1"))
            view.seen = replace(self.seen[uid], wanted=agent.annotation)
            if not agent.silent:
                view.take(agent.state(self.now, view.cursor), wall=EPOCH + self.now, monotonic=self.now)
        pilot.wishes.learn(pilot.pods)
        pilot.step(EPOCH + self.now, self.now)
        for entry in pilot.said:
            self.told.append((self.second_number, entry.kind, f"{entry.from_shape}->{entry.to_shape}"))
        pilot.said = []
        for view, wish in pilot.wishes.to_write(pilot.pods):
            self.agents[view.uid].annotation = wish.to_text()
            pilot.wishes.wrote(view, wish, EPOCH + self.now)

    @property
    def shapes(self) -> list[str]:
        return [str(agent.pod.shape) for agent in self.agents.values()]

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.told]
