"""Workloads drawn at random, and the table of those with names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.drawn import draw_workload, draw_workloads
from bench.named import ALL, SETS
from bench.parameters import Parameters
from bench.serving import loads_of
from uwsgi_autopilot.loadgen.plan import parse_load


def test_the_same_seed_draws_the_same_workloads_and_more_of_them_begin_alike() -> None:
    assert draw_workloads(1, 20) == draw_workloads(1, 20)
    assert draw_workloads(1, 20)[:3] == draw_workloads(1, 3)
    assert draw_workloads(1, 20) != draw_workloads(2, 20)


def test_a_known_workload_is_still_drawn() -> None:
    """A result that names a seed can be measured again, whatever the version of Python."""
    first = draw_workload(1, 2)
    assert (first.name, first.told) == ("random-1-02", "wait 8.68 ms, CPU 8.834 ms, 10 clients")


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_what_is_drawn_is_within_the_ranges(seed: int, number: int) -> None:
    found = draw_workload(seed, number)
    assert found.parameters is not None
    drawn = found.parameters
    assert 8 <= found.clients <= 128
    assert 0 <= drawn.wait_ms <= 150
    assert 0.19 <= drawn.cpu_ms + drawn.native_ms <= 20.01
    assert [drawn.pool > 0, drawn.limit > 0, drawn.degrades_from > 0].count(True) <= 1
    if not drawn.wait_ms:
        assert (drawn.pool, drawn.limit, drawn.degrades_from, drawn.slow_share) == (0, 0, 0, 0)


def test_every_trait_comes_up() -> None:
    drawn = [each.parameters for seed in range(1, 4) for each in draw_workloads(seed, 20)]
    for trait in ("native_ms", "slow_share", "pool", "limit", "degrades_from"):
        assert any(getattr(each, trait) for each in drawn), trait
    assert any(not each.wait_ms for each in drawn if each)


@pytest.mark.parametrize("name", SETS)
def test_the_sets_hold_workloads_of_the_table(name: str) -> None:
    assert set(SETS[name]) <= set(ALL)


def test_names_are_fit_for_files() -> None:
    assert all(json.dumps(name) == f'"{name}"' and "/" not in name for name in ALL)


def test_parameters_say_what_differs_from_nothing() -> None:
    assert str(Parameters()) == "nothing to do"
    assert str(Parameters(wait_ms=20, pool=3)) == "wait 20 ms, pool of 3 per process"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("large", "wait 20 ms, CPU 1 ms, answers of 250 KB, 64 clients"),
        ("memory", "wait 20 ms, CPU 2 ms, 150 MB a process, 64 clients"),
        ("import", "wait 20 ms, CPU 2 ms, import 10 s, 64 clients"),
        ("failing", "wait 20 ms, CPU 2 ms, 30% fail at once, 64 clients"),
        (
            "two-routes",
            "wait 5 ms, CPU 4 ms, and a page of wait 100 ms, CPU 0.5 ms, 64 clients, 25% and 75% of them there in turn",
        ),
        ("streaming", "wait 20 ms, CPU 2 ms, streams of 30 s, 64 clients, 16 of them at streams"),
        ("poisson", "wait 20 ms, CPU 2 ms, 64 clients, then Poisson arrivals at 70% of the best shape's capacity"),
        ("postgresql", "Flask and SQLAlchemy on PostgreSQL, 32 clients"),
    ],
)
def test_a_workload_says_what_it_is_and_how_it_is_asked(name: str, told: str) -> None:
    assert ALL[name].told == told


@pytest.mark.parametrize(
    ("name", "loads"),
    [
        ("mixed", ["clients=64,path=/"]),
        ("streaming", ["clients=48,path=/", "clients=16,path=/stream,timeout=300s"]),
        ("retrying", ["clients=64,path=/,timeout=1s,retries=3"]),
    ],
)
def test_what_the_generator_is_asked_for(name: str, loads: list[str]) -> None:
    assert loads_of(ALL[name]) == loads
    for each in loads:
        parse_load(each)


def test_two_routes_share_the_clients() -> None:
    assert loads_of(ALL["two-routes"], there=0.25) == ["clients=48,path=/", "clients=16,path=/other"]
