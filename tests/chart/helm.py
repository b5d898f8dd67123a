"""Ask Helm what it makes of the chart, without a cluster.

Real: the templates, the schema, Helm's own engine: its program, or the package helm-python-sdk where that is installed
(`pip install helm-python-sdk`, 244 MB, so nobody is made to). Without both the tests that render are skipped.
"""

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

CHART = Path(__file__).parents[2] / "chart"
RELEASE, NAMESPACE = "autopilot", "autopilot-system"
SOURCE = "# Source: uwsgi-autopilot/"

Object = dict[str, Any]


class ChartError(Exception):
    """Helm's sentence about values or a template."""


class Render(Protocol):
    def __call__(self, values: Object, *, chart: Path = CHART, apis: Sequence[str] = ()) -> list[Object]:
        """The objects that the chart makes of `values`, sorted. Raises ChartError."""


def with_program(values: Object, *, chart: Path = CHART, apis: Sequence[str] = ()) -> list[Object]:
    command = ["helm", "template", RELEASE, str(chart), "--namespace", NAMESPACE, "--values", "-"]
    command += [word for api in apis for word in ("--api-versions", api)]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChartError(done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def with_package(values: Object, *, chart: Path = CHART, apis: Sequence[str] = ()) -> list[Object]:
    if apis:
        pytest.skip("helm-python-sdk cannot pretend to see other APIs: install helm")
    import helm_python

    try:
        with helm_python.Chart.load(str(chart)) as loaded:
            loaded.validate_schema(values)
            texts = loaded.render(values, name=RELEASE, namespace=NAMESPACE)
    except helm_python.HelmError as error:
        raise ChartError(str(error)) from None
    manifests = [text for path, text in texts.items() if path.endswith(".yaml")]
    return [each for text in manifests for each in yaml.safe_load_all(text)]


def engine() -> Render | None:
    """None: nothing here can render a chart."""
    if shutil.which("helm"):
        return with_program
    return with_package if importlib.util.find_spec("helm_python") else None


def name_of(each: Object) -> str:
    return str(each["metadata"]["name"])
