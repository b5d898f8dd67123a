"""The whole chart, rendered, as it was when somebody last looked at it.

A change that is meant:  UPDATE_GOLDEN=1 .venv/bin/pytest tests/chart/test_golden.py  and then read the difference.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "chart"
GOLDEN = Path(__file__).parent / "golden"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, so that a difference can be read."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


@pytest.mark.parametrize("values", [pytest.param(path, id=path.stem.removesuffix("-values")) for path in SCENARIOS])
def test_the_chart_renders_as_it_did(render: Any, values: Path) -> None:
    objects = render(yaml.safe_load(values.read_text(encoding="utf-8")))
    text = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=120)
    golden = GOLDEN / values.name.replace("-values", "")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), "meant? UPDATE_GOLDEN=1, then read the difference"


def test_there_are_scenarios() -> None:
    assert {path.name.replace("-values", "") for path in SCENARIOS} == {path.name for path in GOLDEN.glob("*.yaml")}
