"""What outlives the operator: read with suspicion, written by compare and swap, never over somebody else's."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.controller.fakes import FakeKube
from tests.unit.controller.making import PROMOTED, SHOP, app_body, config_map, promoted_map
from uwsgi_autopilot.api.desired import MAX_NUMBER, UNVERSIONED, DesiredShape, Version, parse_desired
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.controller.children import NameTaken
from uwsgi_autopilot.controller.kube import Conflict, NotFound
from uwsgi_autopilot.controller.seen import spec_of
from uwsgi_autopilot.controller.store import MOST_BYTES, Store, Stored, decided, learnt, stored_in, text_of
from uwsgi_autopilot.fleet.change import Change, Stage
from uwsgi_autopilot.fleet.history import HISTORY, Kind
from uwsgi_autopilot.fleet.state import FleetState
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.labels import PROMOTED_KEY, TUNING_KEY
from uwsgi_autopilot.tuner.memory import Memory
from uwsgi_autopilot.tuner.proposal import LONGEST_MESSAGE

APP = spec_of(app_body())
assert APP is not None
TRIED = Shape(4, 32)


def a_state(**fields: Any) -> FleetState:
    state = FleetState.begin(APP, PROMOTED)  # type: ignore[arg-type]
    for number in range(HISTORY):
        state = state.recorded(1e9 + number, Kind.TRY, Shape(2, 4), TRIED, "MoreThreads", "waits")
    return replace(state, **fields)


def a_change(stage: Stage, shape: Shape = TRIED) -> Change:
    return Change(stage=stage, shape=shape, before=Shape(2, 4), version=Version(2, 1), issued_at=1e9, pod="shop-0")


def restored(promoted: DesiredShape, state: FleetState) -> FleetState:
    texts = {PROMOTED_KEY: promoted.to_text()}, {TUNING_KEY: text_of(state)}
    return stored_in(*texts).state(APP)  # type: ignore[arg-type]


def test_what_is_kept_comes_back() -> None:
    before = a_state(
        change=a_change(Stage.TRYING),
        memory=Memory(settled=True, trials=3).with_refused(TRIED, up=True),
        last=Version(7, 3),
    )
    after = restored(PROMOTED, before)
    assert (after.change, after.memory, after.history) == (before.change, before.memory, before.history)
    assert (after.promoted, after.stored, after.last) == (PROMOTED, PROMOTED.version, Version(7, 3))


def test_a_new_operator_begins_above_what_was_promoted_though_it_forgot_the_rest() -> None:
    assert stored_in({PROMOTED_KEY: PROMOTED.to_text()}, {}).state(APP).last == Version(2, 0)  # type: ignore[arg-type]
    assert restored(PROMOTED, a_state(last=Version(1, 2))).last == Version(2, 0)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        pytest.param(a_change(Stage.TRYING), True, id="a trial"),
        pytest.param(a_change(Stage.TRYING, PROMOTED.shape), False, id="a trial that was promoted in the last moment"),
        pytest.param(a_change(Stage.PROMOTING, PROMOTED.shape), True, id="a promotion"),
        pytest.param(a_change(Stage.PROMOTING), False, id="a promotion of what is not promoted"),
        pytest.param(a_change(Stage.REVERTING), True, id="a way back"),
    ],
)
def test_a_change_that_does_not_fit_what_is_promoted_is_over(change: Change, kept: bool) -> None:
    """NAME-promoted is written first: an operator that ended in between has kept a state of before."""
    assert restored(PROMOTED, a_state(change=change)).change == (change if kept else None)


GOOD = json.loads(text_of(a_state(change=a_change(Stage.TRYING))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        "7",
        "{}",
        *(json.dumps({**GOOD, name: value}) for name in GOOD for value in (7, "x", [7], {"a": 1}, -1)),
        json.dumps({**GOOD, "history": [{**GOOD["history"][0], "kind": "conquer"}]}),
        json.dumps({**GOOD, "history": [{**GOOD["history"][0], "to": {"processes": 0, "threads": 1}}]}),
        json.dumps({**GOOD, "change": {**GOOD["change"], "stage": "Dreaming"}}),
        json.dumps({**GOOD, "last": {"epoch": 1e400, "seq": 1}}),
    ],
)
def test_what_cannot_be_read_is_as_good_as_nothing(text: str) -> None:
    found = stored_in({PROMOTED_KEY: PROMOTED.to_text()}, {TUNING_KEY: text})
    assert found.promoted == PROMOTED
    assert found.state(APP).promoted == PROMOTED  # type: ignore[arg-type]
    text_of(found.state(APP))  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [MAX_NUMBER, MAX_NUMBER // 2])
def test_a_version_that_leaves_none_for_those_after_it_is_not_believed(number: int) -> None:
    last = replace(PROMOTED, version=Version(number, 1))
    found = stored_in({PROMOTED_KEY: last.to_text()}, {TUNING_KEY: text_of(a_state(last=Version(3, number)))})
    assert (found.promoted, found.last) == (None, UNVERSIONED)


def test_the_text_is_bounded() -> None:
    long = a_state()
    for _ in range(HISTORY):
        long = long.recorded(1e9, Kind.BACK, TRIED, Shape(2, 4), "Reverted", "ß" * LONGEST_MESSAGE)
    assert len(text_of(long).encode()) <= MOST_BYTES


def test_only_what_matters_is_worth_a_write() -> None:
    before = a_state()
    looked = replace(before, memory=replace(before.memory, at=1e9))
    assert (decided(looked), learnt(looked)) == (decided(before), learnt(before))
    assert learnt(replace(before, memory=replace(before.memory, settled=True))) != learnt(before)
    assert decided(before.with_next_version()) != decided(before)


# --- the two ConfigMaps


def played(kube: FakeKube, *calls: Any) -> None:
    async def story() -> None:
        for call in calls:
            await call(Store(kube))

    asyncio.run(story())


def promoted_in(kube: FakeKube) -> DesiredShape:
    return parse_desired(kube.objects["ConfigMap", "web", "shop-promoted"]["data"][PROMOTED_KEY])


NEWER = DesiredShape(version=Version(2, 1), shape=TRIED)


def test_a_promoted_shape_is_written_to_our_own_map_and_not_twice() -> None:
    kube = FakeKube()
    kube.put(promoted_map(PROMOTED))
    played(kube, *[lambda store: store.save_promoted(SHOP, "app-shop", NEWER)] * 2)
    assert promoted_in(kube) == NEWER
    assert kube.writes("merge") == ["ConfigMap"]


@pytest.mark.parametrize("name", ["shop-promoted", "shop-tuning"])
def test_a_foreign_map_of_that_name_stays_as_it_is(name: str) -> None:
    kube = FakeKube()
    theirs = kube.put(config_map(name, {"theirs": "1"}, uid="another"))
    app = App.from_body(app_body())
    call = {
        "shop-promoted": lambda store: store.save_promoted(SHOP, "app-shop", NEWER),
        "shop-tuning": lambda store: store.save_tuning(SHOP, "app-shop", a_state()),
    }[name]
    with pytest.raises(NameTaken, match=f"ConfigMap {name} already exists"):
        played(kube, call)
    if name == "shop-promoted":
        with pytest.raises(NameTaken, match=name):
            played(kube, lambda store: store.ensure_promoted(app, NEWER))
    assert kube.objects["ConfigMap", "web", name] == theirs
    loaded: list[Stored] = []

    async def load(store: Store) -> None:
        loaded.append(await store.load(SHOP, "app-shop"))

    played(kube, load)
    assert loaded == [Stored()]


@pytest.mark.parametrize("change", ["written", "another", "gone"])
def test_what_comes_between_reading_and_writing_is_not_written_over(change: str) -> None:
    kube = FakeKube()
    kube.put(promoted_map(PROMOTED))
    theirs = replace(PROMOTED, shape=Shape(1, 1))
    read = kube.get

    async def meanwhile(*which: str) -> dict:
        found = await read(*which)
        del kube.objects["ConfigMap", "web", "shop-promoted"]
        if change != "gone":
            made = promoted_map(theirs, uid="another" if change == "another" else None)
            meta = made["metadata"] | ({"uid": "another"} if change == "another" else {})
            kube.put({**made, "metadata": meta})
        return found

    kube.get = meanwhile  # type: ignore[method-assign]
    with pytest.raises((Conflict, NotFound)):
        played(kube, lambda store: store.save_promoted(SHOP, "app-shop", NEWER))
    if change != "gone":
        assert promoted_in(kube) == theirs


@pytest.mark.parametrize(
    ("before", "known", "after"),
    [
        pytest.param(None, None, DesiredShape(version=UNVERSIONED, shape=Shape(2, 4)), id="made"),
        pytest.param(None, NEWER, NEWER, id="made again, with what the fleet has promoted"),
        pytest.param(PROMOTED, None, PROMOTED, id="a version is the fleet's to change"),
        pytest.param(
            DesiredShape(version=UNVERSIONED, shape=Shape(8, 8)),
            None,
            DesiredShape(version=UNVERSIONED, shape=Shape(2, 4)),
            id="nothing was promoted, and the manifest was edited",
        ),
    ],
)
def test_a_reconcile_makes_the_promoted_map_and_changes_no_version(
    before: DesiredShape | None, known: DesiredShape | None, after: DesiredShape
) -> None:
    kube = FakeKube()
    if before is not None:
        kube.put(promoted_map(before))
    played(kube, lambda store: store.ensure_promoted(App.from_body(app_body()), known))
    assert promoted_in(kube) == after
