"""What is told on the UwsgiApp, as the API server takes it: a note of at most 1,024 bytes, which never changes."""

import asyncio

import pytest

from tests.unit.controller.fakes import FakeKube
from uwsgi_autopilot.controller.events import Events
from uwsgi_autopilot.controller.workqueue import Key

SHOP = Key("web", "shop")


def told(*notes: str, warning: bool = True) -> tuple[Events, list[dict]]:
    kube = FakeKube()
    events = Events(kube, "operator-1")

    async def story() -> None:
        for note in notes:
            events.tell(SHOP, "u1", reason="MemoryLimit", note=note, action="refuse", warning=warning)
        task = asyncio.create_task(events.run())
        for _ in range(100 * len(notes)):
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(story())
    return events, list(kube.objects.values())


def test_a_refusal_that_comes_again_counts_up_under_its_first_note():
    events, (event,) = told("4x16: does not fit", "4x8: does not fit", "4x4: does not fit")
    assert event["note"] == "4x16: does not fit"
    assert event["series"]["count"] == 3
    assert events.dropped == 0


def test_what_is_no_warning_is_told_each_time():
    _, events = told("2x4 -> 3x4", "3x4 -> 4x4", warning=False)
    assert [each["note"] for each in events] == ["2x4 -> 3x4", "3x4 -> 4x4"]


@pytest.mark.parametrize(
    ("letter", "kept"),
    [
        pytest.param("x", 1000, id="a byte each"),
        pytest.param("→", 333, id="three bytes each: 999 of them, and no half letter"),
        pytest.param("🦄", 250, id="four bytes each"),
    ],
)
def test_a_note_is_cut_by_its_bytes(letter, kept):
    _, (event,) = told(letter * 2000)
    assert event["note"] == letter * kept
