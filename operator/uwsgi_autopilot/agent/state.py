"""What the agent tells about itself: the JSON of /v1/state, and the numbers of /metrics. Built once a second."""

import os
from collections import deque
from typing import Any

from uwsgi_autopilot import __version__
from uwsgi_autopilot.agent.change import Fleet
from uwsgi_autopilot.agent.health import Health
from uwsgi_autopilot.agent.observe import Observer
from uwsgi_autopilot.agent.wanted import Refusal, WishFile
from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.report.histogram import add
from uwsgi_autopilot.report.text import readable
from uwsgi_autopilot.tuner.sample import Sample

# The samples of five minutes: an operator that was away for a while misses nothing that matters.
KEEP_SAMPLES = 300
# Of this JSON. A reader understands its own number and the one before.
STATE_VERSION = 1


class State:
    """Written by the main loop, read by the HTTP threads: what they read is replaced whole, never changed."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.samples: deque[Sample] = deque(maxlen=KEEP_SAMPLES)
        self.latency: dict[int, int] = {}
        self.upstream: dict[int, int] = {}
        self.errors_total = 0.0
        self.cpu_total = 0.0
        self.service_total = 0.0
        self.summary: dict[str, Any] = {}
        self._refused: Refusal | None = None
        self._refused_at = 0.0

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        latency, upstream = dict(self.latency), dict(self.upstream)
        add(latency, sample.latency)
        add(upstream, sample.upstream)
        self.latency, self.upstream = latency, upstream
        self.errors_total += sample.errors
        self.cpu_total += sample.cpu_s
        self.service_total += sample.service_s

    def update(
        self, now: float, fleet: Fleet, wishes: WishFile, health: Health, observer: Observer, draining: bool
    ) -> None:
        serving = fleet.serving
        refused = fleet.refused or wishes.refused
        if refused is not self._refused:
            self._refused, self._refused_at = refused, now
        self.summary = {
            "version": STATE_VERSION,
            "agent": __version__,
            "app": self.config.name,
            "uid": self.config.uid,
            "pid": os.getpid(),
            "pids": [pid for each in fleet.generations() for pid in (each.pid, *each.workers())],
            "now": round(now, 3),
            "serving": serving is not None,
            "ready": health.ready,
            "why": readable(health.why),
            "draining": draining,
            "shape": fleet.shape.to_json() if fleet.shape else None,
            "target": fleet.target.to_json(),
            "generation": serving.number if serving else None,
            "ceiling": serving.ceiling if serving else None,
            "uwsgi": serving.stats.version if serving and serving.stats else None,
            "accepted": {"seq": wishes.accepted.seq, **wishes.accepted.shape.to_json()} if wishes.accepted else None,
            "change": fleet.change(now),
            "refused": refusal_json(refused, self._refused_at),
            "swaps": fleet.counts.swaps,
            "resizes": fleet.counts.resizes,
            "restarts": fleet.counts.restarts,
            "failed_starts": fleet.counts.failed_starts,
            "requests_total": observer.total_requests,
        }

    def to_json(self, since: int) -> dict[str, Any]:
        return {**self.summary, "samples": [each.to_json() for each in tuple(self.samples) if each.seq > since]}


def refusal_json(refusal: Refusal | None, at: float) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {
        "at": round(at, 3),
        "reason": refusal.reason.value,
        "message": refusal.message,
        "seq": refusal.seq,
        "shape": refusal.shape.to_json() if refusal.shape else None,
    }
