"""The operator's own pages, asked as the kubelet asks."""

import asyncio
import errno
import socket

import aiohttp
import pytest

from uwsgi_autopilot.controller.pages import Pages


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_they_answer_over_both_families(host: str) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        if host != "127.0.0.1" and probe.connect_ex(("::1", 1)) == errno.EADDRNOTAVAIL:
            pytest.skip("NOT TESTED: this machine has no IPv6")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def story() -> None:
        pages = Pages(port, unhealthy=lambda: "", unready=lambda: "not yet", metrics=lambda: "a 1\n")
        async with pages, aiohttp.ClientSession(f"http://{host}:{port}") as client:
            for path, status, text in (
                ("/healthz", 200, "ok\n"),
                ("/ready", 503, "not yet\n"),
                ("/metrics", 200, "a 1\n"),
            ):
                async with client.get(path) as answer:
                    assert (answer.status, await answer.text()) == (status, text)

    asyncio.run(asyncio.wait_for(story(), 60))
