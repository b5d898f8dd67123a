"""The chart is rendered by Helm itself (helm.py); there is no cluster. tests/e2e installs it into one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chart.helm import CHART, Object, Render, helm_program, name_of, run_helm


@pytest.fixture(scope="session")
def render() -> Render:
    program = helm_program()
    if program is None:
        pytest.skip("CHART NOT TESTED: helm is not installed, and for this kind of machine none is fetched: install it")

    def rendered(values: Object, *, chart: Path = CHART, apis: Sequence[str] = ()) -> list[Object]:
        objects = [each for each in run_helm(program, values, chart=chart, apis=apis) if each]
        return sorted(objects, key=lambda each: (each["kind"], each["metadata"].get("namespace", ""), name_of(each)))

    return rendered


@pytest.fixture(scope="session")
def defaults(render: Render) -> list[Object]:
    return render({})
