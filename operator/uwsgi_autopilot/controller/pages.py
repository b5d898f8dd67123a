"""The operator's one HTTP port: /healthz for the kubelet, /ready for the Service and rollouts, /metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Pages:
    """Serves while it is entered. unhealthy, unready: one sentence; "" when it is not."""

    def __init__(
        self, port: int, *, unhealthy: Callable[[], str], unready: Callable[[], str], metrics: Callable[[], str]
    ) -> None:
        async def page(_: web.Request) -> web.Response:
            return web.Response(text=metrics(), headers={"Content-Type": METRICS_TYPE})

        app = web.Application()
        app.add_routes(
            [web.get("/healthz", _answer(unhealthy)), web.get("/ready", _answer(unready)), web.get("/metrics", page)]
        )
        self._port = port
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> "Pages":
        await self._runner.setup()
        await web.TCPSite(self._runner, None, self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


def _answer(problem: Callable[[], str]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        sentence = problem()
        return web.Response(status=503 if sentence else 200, text=(sentence or "ok") + "\n")

    return answer
