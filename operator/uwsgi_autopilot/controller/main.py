"""`uwsgi-autopilot operator`: waits for the Lease, and leads (leader.py) as long as it holds that.

Ends with one sentence when the Lease is lost, with a traceback when a part fails: a restart begins with what the
cluster says, and the applications go on without an operator meanwhile.
"""

import asyncio
import logging
import os
import signal
import uuid
from collections.abc import Coroutine
from typing import Any

from uwsgi_autopilot.controller import counters, deepjson, logs
from uwsgi_autopilot.controller.kube import ApiError, Kube, NotFound, Unreachable
from uwsgi_autopilot.controller.leader import Leader
from uwsgi_autopilot.controller.lease import Lease
from uwsgi_autopilot.controller.leasekeeper import LeaseKeeper
from uwsgi_autopilot.controller.logs import LogFormat
from uwsgi_autopilot.controller.options import Options
from uwsgi_autopilot.controller.pages import Pages
from uwsgi_autopilot.errors import AutopilotError, UsageError

log = logging.getLogger(__name__)

CRD_SECONDS = 2.0  # between two questions to an API server that does not answer
END_SECONDS = 10.0  # for the parts to end, before the Lease is given back


def run_operator(options: Options) -> int:
    """Returns the exit status. Raises AutopilotError where the log is for a person, who is told in one sentence."""
    deepjson.install()
    logs.install(options.log_format)
    try:
        asyncio.run(Operator(options).run())
    except AutopilotError as error:
        if options.log_format is LogFormat.TEXT:
            raise
        log.error("%s", error)
        return error.exit_code
    except Exception:
        # Not left to Python, which would show the traceback as it is.
        log.exception("the operator ends with an error of its own")
        return 1
    return 0


class Operator:
    """leader: None while another one leads."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.instance = os.environ.get("HOSTNAME", "uwsgi-autopilot")
        self.lease: Lease | None = None
        self.leader: Leader | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises NotLeader; UsageError: the cluster has no UwsgiApp."""
        stop = asyncio.Event()
        stop_at_signals(stop)
        lease = self.lease = Lease(
            await Kube.connect(), self.options.namespace, self.options.lease, f"{self.instance}_{uuid.uuid4()}"
        )
        kube = await Kube.connect(lease.left)
        pages = Pages(self.options.port, unhealthy=self._unhealthy, unready=self._unready, metrics=self._metrics)
        try:
            async with pages:
                if not await until_stopped(stop, self._follow(kube, lease)):
                    return
                self.leader = Leader(self.options, kube, self.instance)
                async with self.leader.poller:
                    leading = until_stopped(
                        stop, LeaseKeeper(lease).run(), *self.leader.parts(), stop_at_signals_of_kopf(stop)
                    )
                    if await leading:
                        raise RuntimeError("a part of the operator ended unexpectedly")
        finally:
            await lease.release()
            log.info("ended")
            await kube.close()
            await lease.kube.close()

    async def _follow(self, kube: Kube, lease: Lease) -> None:
        """Ends when this operator is to lead: nothing is watched before."""
        await self._wait_for_crd(kube)
        await lease.acquire()

    async def _wait_for_crd(self, kube: Kube) -> None:
        """kopf looks for the resource once, at its start. Raises UsageError when it is not there."""
        namespace = self.options.watch[0] if self.options.watch else None
        while True:
            try:
                async for _ in kube.list("UwsgiApp", namespace):
                    break
            except NotFound:
                raise UsageError("the cluster has no UwsgiApp: install the chart's crds/ first") from None
            except (Unreachable, ApiError) as error:
                log.warning("waiting for the API server: %s", error)
                await asyncio.sleep(CRD_SECONDS)
            else:
                return

    # --- what others may ask

    def _unhealthy(self) -> str:
        """An unreachable API server is no reason to restart; a stalled event loop or a dead watch is."""
        return self.leader.unhealthy() if self.leader is not None else ""

    def _unready(self) -> str:
        if self.leader is not None:
            return self.leader.unready()
        seen = self.lease is not None and self.lease.holder is not None
        return "" if seen else "the lease has not been read yet"

    def _metrics(self) -> str:
        return self.leader.metrics() if self.leader is not None else counters.page_of_follower()


async def until_stopped(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> bool:
    """Run them until `stop`: False; or until one of them ends: True, or its error is raised. The others have ended by
    then, or END_SECONDS are over."""
    tasks = [asyncio.create_task(each) for each in parts]
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, waiting):
        task.cancel()
    await asyncio.wait([*tasks, waiting], timeout=END_SECONDS)
    for task in done - {waiting}:
        task.result()
    return waiting not in done


def stop_at_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)


async def stop_at_signals_of_kopf(stop: asyncio.Event) -> None:
    """kopf installs handlers of its own at its start, which would stop only kopf."""
    await asyncio.sleep(0.5)
    stop_at_signals(stop)
    await asyncio.Event().wait()
