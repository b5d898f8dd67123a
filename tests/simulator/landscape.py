"""An agent over a recorded grid: what real uWSGI did at each shape, under one load that does not change.

The simulator makes throughput out of events; this one looks it up, between the recorded shapes by interpolation over
the logarithms of processes and threads. It says how near the best the law gets on real ground, in moments a flight.
"""

import json
import math
import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from statistics import median
from typing import Any

from tests.simulator.agent import Agent
from tests.simulator.grids import DISTURBED, FOLDER
from uwsgi_autopilot.api.sample import Census, Sample
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.tuner.model import Work, throughput

SWAP_S, WORKERS_S = 2, 1  # whole seconds in which a change is under way
LOOKS_PER_S = 10
# The machine's speed: standard deviation, and how much of it stays from one second to the next.
NOISE, STAYS = 0.015, 0.7
SEEN = 0.5  # share of the requests that the samples of a visit must hold to tell anything
SMOOTH = 0.5  # ln of the ratio of processes and threads over which neighbours count as one
AMOUNTS = ("requests", "service_s", "cpu_s", "runqueue_s")
LEVELS = ("busy", "queue_mean", "worker_cpu")
STATES = ("running", "io", "interpreter_lock", "application_lock", "idle")


class Landscape:
    """rps: requests a second by recorded shape, the mean of its visits."""

    def __init__(self, grid: Mapping[str, Any]) -> None:
        self.clients = int(grid["clients"])
        visits: dict[Shape, list[Mapping[str, Any]]] = {}
        for each in grid["visits"]:
            seen = each["sample"] is not None and each["sample"]["requests"] >= SEEN * each["rps"]
            if seen and (each["foreign"] or 0.0) <= DISTURBED:
                visits.setdefault(Shape.parse(each["shape"]), []).append(each)
        self.rows = {shape: _mean([_flat(each) for each in found]) for shape, found in visits.items()}
        cpu_s = median(row["cpu_s"] / row["rps"] for row in self.rows.values())
        needs = grid["parameters"]
        self.work = Work(
            wait_s=((1 - needs["slow_share"]) * needs["wait_ms"] + needs["slow_share"] * needs["slow_wait_ms"]) / 1000,
            cpu_s=cpu_s, lock_s=cpu_s, inside=self.clients, cores=2.0,
            pool=needs["pool"] or None,
        )  # fmt: skip
        self.rps = self._without_noise()
        for shape, rps in self.rps.items():
            scale = rps / self.rows[shape]["rps"]
            self.rows[shape] = {
                name: value * scale if name in ("rps", *AMOUNTS) else value for name, value in self.rows[shape].items()
            }
        self._processes = sorted({shape.processes for shape in self.rows})
        self._threads = sorted({shape.threads for shape in self.rows})

    def _without_noise(self) -> dict[Shape, float]:
        """Two visits of one shape differ by some percent, and the best of forty is mostly luck. So what a shape did
        beside what the model thinks is averaged with its neighbours: where the model errs, they err alike."""
        missed = {shape: math.log(row["rps"] / throughput(self.work, shape)) for shape, row in self.rows.items()}
        found = {}
        for shape in missed:
            weights = {other: math.exp(-0.5 * (_apart(shape, other) / SMOOTH) ** 2) for other in missed}
            mean = sum(weights[other] * missed[other] for other in missed) / sum(weights.values())
            found[shape] = math.exp(mean) * throughput(self.work, shape)
        return found

    @property
    def best(self) -> float:
        return max(self.rps.values())

    def at(self, shape: Shape) -> dict[str, float]:
        """The figures of a shape; between the recorded ones what the model thinks, and as far off as it is for them."""
        total, found, missed = 0.0, dict.fromkeys(next(iter(self.rows.values())), 0.0), 0.0
        for processes, one in _between(shape.processes, self._processes):
            for threads, other in _between(shape.threads, self._threads):
                row = self.rows.get(Shape(processes, threads))
                if row is not None and one * other > 0:
                    total += one * other
                    found = {name: value + one * other * row[name] for name, value in found.items()}
                    missed += one * other * math.log(row["rps"] / throughput(self.work, Shape(processes, threads)))
        if total == 0:
            return self.rows[min(self.rows, key=lambda each: _apart(each, shape))]
        found = {name: value / total for name, value in found.items()}
        rps = throughput(self.work, shape) * math.exp(missed / total)
        return {
            name: value * rps / found["rps"] if name in ("rps", *AMOUNTS) else value for name, value in found.items()
        }


class LandscapeAgent(Agent):
    def __init__(self, ground: Landscape, start: Shape, *, seed: int = 1, noise: float = NOISE) -> None:
        super().__init__(start)
        self.ground, self.noise = ground, noise
        self.random = random.Random(seed)
        self.shape, self.generation, self.left = start, 1, 0
        self.drift = 0.0

    def second(self, now: float) -> None:
        before = self.following.target
        self.follow(now)
        target = self.following.target
        if target != before:
            self.left = SWAP_S if target.threads != self.shape.threads else WORKERS_S
        changing = self.left > 0
        if changing:
            self.left -= 1
            if self.left == 0:
                self.generation += int(target.threads != self.shape.threads)
                self.shape = target
        self.samples.append(replace(self._sample(now), settled=not changing))

    def _sample(self, now: float) -> Sample:
        draw = self.random
        self.drift = STAYS * self.drift + math.sqrt(1 - STAYS**2) * draw.gauss(0.0, self.noise)
        speed = math.exp(self.drift + draw.gauss(0.0, self.noise / 2))
        row = self.ground.at(self.shape)
        rate = row["rps"] * speed
        amounts = {name: row[name] * speed for name in AMOUNTS if name != "requests"}
        looks = [max(0.0, draw.gauss(row[name], math.sqrt(max(row[name], 0.0) / LOOKS_PER_S))) for name in STATES]
        census = Census(**dict(zip(STATES, looks, strict=True)), looks=round(LOOKS_PER_S * sum(looks)))
        return Sample(
            seq=len(self.samples) + 1, at=now, seconds=1.0, generation=self.generation, shape=self.shape,
            settled=True, requests=rate, cores=2.0, foreign_cpu=0.0, census=census,
            memory_bytes=25_000_000 * self.shape.processes, worker_bytes=25_000_000,
            **amounts, **{name: row[name] for name in LEVELS},
        )  # fmt: skip


@cache
def landscape(name: str) -> Landscape:
    """One of the recorded ones, by the name of its workload."""
    return Landscape(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def _flat(visit: Mapping[str, Any]) -> dict[str, float]:
    sample = visit["sample"]
    row = {"rps": visit["rps"], **{name: sample[name] or 0.0 for name in (*AMOUNTS, *LEVELS)}}
    # Amounts a second belong to the sample's own throughput, which ended at another moment.
    scale = visit["rps"] / max(sample["requests"], 1e-9)
    row |= {name: row[name] * scale for name in AMOUNTS}
    return row | {name: (sample["census"] or {}).get(name, 0.0) for name in STATES}


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(each[name] for each in rows) / len(rows) for name in rows[0]}


def _between(value: int, known: list[int]) -> list[tuple[int, float]]:
    """The neighbours of a value, and their weights."""
    below = max((each for each in known if each <= value), default=known[0])
    above = min((each for each in known if each >= value), default=known[-1])
    if below == above:
        return [(below, 1.0)]
    share = math.log(value / below) / math.log(above / below)
    return [(below, 1.0 - share), (above, share)]


def _apart(one: Shape, other: Shape) -> float:
    return abs(math.log(one.processes / other.processes)) + abs(math.log(one.threads / other.threads))
