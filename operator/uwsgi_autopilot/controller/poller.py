"""Poll the agents, each on its own schedule: connections stay open, every answer is checked, no pod delays another.

A pod has one entry here. It is polled every few seconds, every second while somebody attends to it, and less and less
often while it does not answer: 300 silent pods delay no other. What it says goes into its Pod; whoever follows the pod
is told when that may matter to a decision.
Measured: 0.09 ms of CPU for a GET on a kept connection, 0.25 ms without; 3,000 open connections take 38 MiB.
"""

import asyncio
import contextlib
import json
import logging
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from types import TracebackType

import aiohttp

from uwsgi_autopilot.api.agentconfig import AGENT_PORT
from uwsgi_autopilot.api.agentreader import WrongPod
from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.controller.clock import steady_now
from uwsgi_autopilot.fleet.pod import Pod, PodInfo
from uwsgi_autopilot.report.text import safe

log = logging.getLogger(__name__)

CALM_SECONDS = 4.0
# Of thousands of pods each is asked a little less often. Its newest figures are shown as long as they are fresh
# (tuningstatus.FRESH_S), so this, a second and the way to the pod must be less.
CALM_PER_SECOND = 400
LONGEST_CALM_SECONDS = 8.0
HOT_SECONDS = 1.0
MOST_HOT = 200
TIMEOUT_SECONDS = 1.0
LONGEST_SECONDS = 15.0
# Of pods that did not answer last time: a namespace that is cut off must not use up all sockets.
SILENT_AT_ONCE = 100
# The first answer brings up to five minutes of samples, later ones a few.
FIRST_BYTES = 1024 * 1024
MOST_BYTES = 256 * 1024
# An idle pod's answer has a few KiB. Of longer ones few are read at a time, and the others wait within their own
# timeout: else a few hundred pods that say as much as they may, and never end, would take all of the memory.
SHORT_BYTES = 16 * 1024
LONG_AT_ONCE = 16
# aiohttp closes a connection that was idle for 15 s, the agent after 30 s.
KEEPALIVE_SECONDS = 25.0


# Equal numbers are one object, and most of an idle pod's are 0.0: thousands of samples are kept. What is nested too
# deep ends in a RecursionError, which concerns that pod alone.
_decoder = json.JSONDecoder(parse_float=lru_cache(maxsize=1024)(float))


class NoState(ValueError):
    """Something answers there, but not with a state: one sentence."""


@dataclass(slots=True, eq=False)
class Asked:
    """told: called when the pod has answered otherwise than before. hot: somebody attends to it. failures: in a row.
    timer: of its next turn; task: its turn, while it lasts."""

    pod: Pod
    told: Callable[[], None] = lambda: None
    hot: bool = False
    failures: int = 0
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None


class Poller:
    """Works between `async with` and its end. `polls`, `failures`, `incompatible`, `wrong_pods`: counters. held: bytes
    of answers that have not ended yet."""

    def __init__(
        self, port: int = AGENT_PORT, *, timeout: float = TIMEOUT_SECONDS, clock: Callable[[], float] = steady_now
    ) -> None:
        self._port = port
        self._timeout = timeout
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._silent = asyncio.Semaphore(SILENT_AT_ONCE)
        self._long = asyncio.Semaphore(LONG_AT_ONCE)
        self._asked: dict[str, Asked] = {}
        self._hot = 0
        self.polls = 0
        self.failures = 0
        self.incompatible = 0
        self.wrong_pods = 0
        self.held = 0

    async def __aenter__(self) -> "Poller":
        """aiohttp's own limit of 100 connections is too small: one stays open for each pod."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS)
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, read_bufsize=SHORT_BYTES
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tasks = [each.task for each in self._asked.values() if each.task is not None]
        self.forget(list(self._asked))
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    # --- who is asked, and when

    def follow(self, pod: Pod, told: Callable[[], None] = lambda: None) -> None:
        """Ask it from now on, at once at first. told: called after an answer that shows a load or a change."""
        self.forget([pod.uid])
        self._asked[pod.uid] = Asked(pod, told)
        self._at(self._asked[pod.uid], 0.0)

    def forget(self, uids: Iterable[str]) -> None:
        for uid in uids:
            asked = self._asked.pop(uid, None)
            if asked is None:
                continue
            self._hot -= asked.hot
            if asked.timer is not None:
                asked.timer.cancel()
            if asked.task is not None:
                asked.task.cancel()

    def attend(self, uid: str, hot: bool) -> None:
        """Poll it every second, or no longer. At most MOST_HOT pods are; any others keep their calm schedule."""
        asked = self._asked.get(uid)
        hot = hot and (self._hot < MOST_HOT or (asked is not None and asked.hot))
        if asked is None or asked.hot == hot:
            return
        asked.hot = hot
        self._hot += 1 if hot else -1
        if hot and not asked.failures:
            self._sooner(asked, HOT_SECONDS)

    def changed(self, uid: str, before: PodInfo, after: PodInfo) -> None:
        """The API server shows a change of it: it may answer now."""
        asked = self._asked.get(uid)
        if asked is not None and asked.failures and (before.ready, before.restarts) != (after.ready, after.restarts):
            asked.failures = 0
            self._sooner(asked, HOT_SECONDS)

    def _sooner(self, asked: Asked, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if asked.timer is not None and asked.timer.when() > loop.time() + seconds:
            self._at(asked, seconds)

    def _at(self, asked: Asked, seconds: float) -> None:
        if asked.timer is not None:
            asked.timer.cancel()
        asked.timer = asyncio.get_running_loop().call_later(seconds, self._begin, asked)

    def _begin(self, asked: Asked) -> None:
        asked.timer = None
        asked.task = asyncio.create_task(self._turn(asked))

    async def _turn(self, asked: Asked) -> None:
        async with self._silent if asked.failures else contextlib.nullcontext():
            pod = asked.pod
            before = pod.state, pod.problem, pod.busy
            answered = await self._poll(pod)
        asked.failures = 0 if answered else asked.failures + 1
        asked.task = None
        self._at(asked, pause_after(asked.failures, asked.hot, self.calm_seconds))
        if (pod.problem, pod.busy) != before[1:] or not same_but_for_time(before[0], pod.state):
            asked.told()

    @property
    def calm_seconds(self) -> float:
        return min(max(CALM_SECONDS, len(self._asked) / CALM_PER_SECOND), LONGEST_CALM_SECONDS)

    # --- one question

    async def _poll(self, pod: Pod) -> bool:
        """Whatever it answers, and whatever bug of ours that hits, affects that pod alone."""
        self.polls += 1
        try:
            found = await self._get(pod)
            self._take(pod, found)
        except WrongPod as error:
            self.wrong_pods += 1
            pod.failed(self._clock(), str(error))
        except NoState as error:
            self.incompatible += 1
            pod.failed(self._clock(), str(error), incompatible=True)
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            self.failures += 1
            pod.failed(self._clock(), self._sentence(error))
        except Exception as error:
            self.incompatible += 1
            problem = f"its answer could not be read: {type(error).__name__} {safe(str(error), 128)}"
            if pod.problem != problem:
                log.exception("an answer could not be read pod=%s", pod.name)
            pod.failed(self._clock(), problem, incompatible=True)
        else:
            return True
        return False

    def _take(self, pod: Pod, text: bytes) -> None:
        try:
            pod.take(_decoder.decode(text.decode()), self._clock())
        except WrongPod:
            raise
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            raise NoState(f"port {self._port} answered with something that is not JSON") from None
        except ValueError as error:
            raise NoState(safe(str(error), 256)) from None

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, asyncio.TimeoutError):
            return f"port {self._port} has not answered within {self._timeout:g} s"
        if isinstance(error, aiohttp.ClientConnectorError):
            number = error.os_error.errno
            why = os.strerror(number) if number else type(error.os_error).__name__
            return f"port {self._port} does not accept connections: {why}"
        return f"port {self._port} has not answered: {type(error).__name__}"

    async def _get(self, pod: Pod) -> bytes:
        assert self._session is not None
        host = f"[{pod.info.ip}]" if ":" in pod.info.ip else pod.info.ip
        url = f"http://{host}:{self._port}/v1/state?since={pod.cursor}"
        # After a silence it has as much to report as at first; once refused for its size, it would be refused forever.
        most = FIRST_BYTES if pod.cursor < 0 or pod.failed_since is not None else MOST_BYTES
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise NoState(f"port {self._port} answered with status {answer.status}, expected 200 and a state")
            text = bytearray()
            try:
                await self._read(answer, text, SHORT_BYTES)
                if len(text) > SHORT_BYTES:
                    async with self._long:
                        await self._read(answer, text, most)
            finally:
                self.held -= len(text)
            if len(text) > most:
                raise NoState(f"port {self._port} answered with more than {most} bytes")
            return bytes(text)

    async def _read(self, answer: aiohttp.ClientResponse, into: bytearray, most: int) -> None:
        """To its end, or until there are more than `most` bytes."""
        while len(into) <= most and (chunk := await answer.content.readany()):
            self.held += len(chunk)
            into += chunk


def same_but_for_time(one: AgentState | None, other: AgentState | None) -> bool:
    """An idle agent says the same each time, but for its clock and the requests of the probes."""
    if one is None or other is None:
        return one is other
    return replace(one, now=other.now, requests_total=other.requests_total) == other


def pause_after(failures: int, hot: bool, calm: float = CALM_SECONDS) -> float:
    """Seconds until its next turn. Pods that failed together should not be polled together forever."""
    if failures:
        return min(2.0 ** min(failures, 10), LONGEST_SECONDS) * random.uniform(0.8, 1.0)  # noqa: S311  # no secret
    return HOT_SECONDS if hot else calm
