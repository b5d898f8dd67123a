"""The chart is rendered by Helm's own engine (helm.py); there is no cluster. tests/e2e installs it into one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chart.helm import CHART, Object, Render, engine, name_of


@pytest.fixture(scope="session")
def render() -> Render:
    helm = engine()
    if helm is None:
        pytest.skip("CHART NOT TESTED: neither the program helm nor the package helm-python-sdk is installed")

    def rendered(values: Object, *, chart: Path = CHART, apis: Sequence[str] = ()) -> list[Object]:
        objects = [each for each in helm(values, chart=chart, apis=apis) if each]
        return sorted(objects, key=lambda each: (each["kind"], each["metadata"].get("namespace", ""), name_of(each)))

    return rendered


@pytest.fixture(scope="session")
def defaults(render: Render) -> list[Object]:
    return render({})
