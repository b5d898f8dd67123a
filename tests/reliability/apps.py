"""Make and remove applications, many at once, and see what has become of them."""

import asyncio
from collections.abc import Iterable

from tests.reliability.api import Api, Body
from tests.reliability.kindcluster import WEB
from uwsgi_autopilot.api.uwsgiapp import API_VERSION, KIND

AT_ONCE = 8


def manifest(name: str, *, replicas: int = 3, **tuning: object) -> Body:
    spec = {
        "image": "shop:1", "module": "wsgi:app", "replicas": replicas,
        "health": {"path": "/healthz"},
        "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}},
        "tuning": {"start": {"processes": 1, "threads": 2}, **tuning},
    }  # fmt: skip
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name, "namespace": WEB}, "spec": spec}


async def create(api: Api, names: Iterable[str], *, replicas: int = 3) -> None:
    """Those that are not there yet."""
    there = {each["metadata"]["name"] for each in (await api.list(KIND, WEB))[0]}
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with gate:
            await api.create(KIND, manifest(name, replicas=replicas))

    await asyncio.gather(*(one(name) for name in names if name not in there))


async def remove_all(api: Api) -> None:
    """Without an operator: the garbage collector removes their objects."""
    await api.delete(KIND, WEB, propagationPolicy="Background")
    while (await api.list("Pod", WEB))[0]:  # noqa: ASYNC110  # another process removes them
        await asyncio.sleep(1.0)


async def remove_others(api: Api, names: Iterable[str]) -> None:
    kept = set(names)
    for each in (await api.list(KIND, WEB))[0]:
        if each["metadata"]["name"] not in kept:
            await api.delete(KIND, WEB, each["metadata"]["name"], propagationPolicy="Background")


async def edit(api: Api, name: str, **tuning: object) -> None:
    await api.merge(KIND, WEB, name, {"spec": {"tuning": tuning}})
