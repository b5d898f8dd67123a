"""Sequences of changes of a UwsgiApp against a real API server and the operator, as Acto makes them (SOSP 2023).

Each change is refused with a sentence, or in the end the application is as one that was created with the last accepted
manifest: their objects are compared, but for what the API server gives each. The operator logs no traceback.
"""

import asyncio
import difflib
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.reliability.fuzzstage import BROKEN, Fuzzed, fuzz_stage, problem_of
from tests.reliability.kindcluster import Missing
from tests.unit.fuzz.manifests import specs
from uwsgi_autopilot.errors import SpecError
from uwsgi_autopilot.resources.app import App

pytestmark = pytest.mark.fuzz
# About four seconds each.
# A failure is made smaller, which takes minutes; FUZZ_SHRINK=0 leaves it as it was found.
PHASES = [Phase.explicit, Phase.generate, *([Phase.shrink] if os.environ.get("FUZZ_SHRINK", "1") == "1" else [])]
SEQUENCES = max(5, settings().max_examples // 100)


@dataclass
class Stage:
    runner: asyncio.Runner
    fuzzed: Fuzzed
    numbers: Iterator[int] = field(default_factory=itertools.count)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with asyncio.Runner() as runner:
        kept = AsyncExitStack()
        try:
            fuzzed = runner.run(kept.enter_async_context(fuzz_stage()))
        except Missing as error:
            pytest.skip(f"NOT TESTED: {error}")
        try:
            yield Stage(runner, fuzzed)
        finally:
            runner.run(kept.aclose())


def usable(spec: Any) -> Any:
    """Without what two applications cannot both have, and with few pods: nobody runs them."""
    service = spec.get("service")
    if isinstance(service, dict):
        service.pop("nodePort", None)
    if isinstance(spec.get("replicas"), int):
        spec["replicas"] = min(spec["replicas"], 3)
    return spec


CHANGES = st.lists(st.tuples(specs().map(usable), st.booleans()), min_size=2, max_size=5)


@settings(
    max_examples=SEQUENCES,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(changes=CHANGES)
def test_after_any_sequence_it_is_what_the_last_change_makes_of_a_new_one(stage, changes):
    stage.runner.run(compared(stage, changes))


def lines_of(objects: Any) -> list[str]:
    return json.dumps(objects, indent=1, sort_keys=True).splitlines()


async def compared(stage: Stage, changes: list[tuple[Any, bool]]) -> None:
    """`changes`: the specs, and whether the next one waits until the operator has dealt with this one."""
    fuzzed, number = stage.fuzzed, next(stage.numbers)
    changed, fresh = f"seq{number:05}", f"new{number:05}"
    last = None
    for spec, waits in changes:
        said = await fuzzed.apply(changed, spec)
        if said is not None:
            event("change refused by the API server")
            assert " 4" in said, said
            assert len(said) > 40
            continue
        last = spec
        if waits:
            await fuzzed.dealt_with(changed)
    if last is None:
        return
    assert await fuzzed.apply(fresh, last) is None, "what was accepted once is accepted again"
    apps = [await fuzzed.dealt_with(name) for name in (changed, fresh)]
    try:
        App.from_body(apps[0])
    except SpecError as error:
        pytest.fail(f"the API server accepts what the operator cannot read: {error}")
    problems = [problem_of(app, name) for app, name in zip(apps, (changed, fresh), strict=True)]
    told = [each for each in problems if each is not None]
    if told:
        event("refused by the operator")
        # The API server has other words for a POST than for an apply.
        assert [reason for reason, _ in told] == [told[0][0]] * 2, told
        assert told[0][0] not in BROKEN, told
        assert all(len(sentence) > 20 for _, sentence in told)
    else:
        event("served")
        found, expected = [await fuzzed.children(name) for name in (changed, fresh)]
        if "replicas" not in last:
            # Nobody asks for a number: what was there stays, as another may hold it.
            for each in (found, expected):
                each["Deployment"]["spec"].pop("replicas", None)
        assert found == expected, "\n".join(difflib.unified_diff(*map(lines_of, (found, expected)), n=5, lineterm=""))
    for name in (changed, fresh):
        await fuzzed.api.delete("UwsgiApp", "web", name, propagationPolicy="Background")
    words = fuzzed.new_words()
    assert "Traceback" not in words, words[-4000:]
