"""Ask Helm what it makes of the chart, without a cluster.

Real: the templates, the schema, Helm's own program: the one in PATH, else one that is fetched (fetched.py).
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml

from tests.chart.fetched import fetch_helm, fits

CHART = Path(__file__).parents[2] / "chart"
RELEASE, NAMESPACE = "autopilot", "autopilot-system"

Object = dict[str, Any]


class ChartError(Exception):
    """Helm's sentence about values or a template."""


class Render(Protocol):
    def __call__(self, values: Object, *, chart: Path = CHART, apis: Sequence[str] = ()) -> list[Object]:
        """The objects that the chart makes of `values`, sorted. Raises ChartError."""


def helm_program() -> str | None:
    """None: there is none here, and none that could be fetched for this kind of machine. Raises NotFetched."""
    return shutil.which("helm") or (str(fetch_helm()) if fits() else None)


def run_helm(program: str, values: Object, *, chart: Path, apis: Sequence[str]) -> list[Object]:
    """Raises ChartError."""
    command = [program, "template", RELEASE, str(chart), "--namespace", NAMESPACE, "--values", "-"]
    command += [word for api in apis for word in ("--api-versions", api)]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChartError(done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def name_of(each: Object) -> str:
    return str(each["metadata"]["name"])
