"""Every row of wrong.yaml has exactly one problem, at the path and with the words it names.

The rows are data, so that a test with a real API server can send the same manifests there.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from uwsgi_autopilot.api.manifest import parse_manifest
from uwsgi_autopilot.errors import SpecError

BASE = {
    "apiVersion": "uwsgi-autopilot.dev/v1alpha1",
    "kind": "UwsgiApp",
    "metadata": {"name": "shop"},
    "spec": {"image": "shop:1.4", "module": "wsgi:app"},
}
ROWS = yaml.safe_load((Path(__file__).parent / "wrong.yaml").read_text(encoding="utf-8"))


def merged(value: Any, patch: Any) -> Any:
    """JSON merge patch, RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, inner in patch.items():
        if inner is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), inner)
    return result


def blown_up(value: Any) -> Any:
    """`repeat` rows: a number stands for a text of so many letters, at `env` for so many variables."""
    if isinstance(value, dict):
        if isinstance(value.get("env"), int):
            return {"env": [{"name": f"V{number}"} for number in range(value["env"])]}
        return {key: blown_up(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [blown_up(inner) for inner in value]
    return "a" * value if isinstance(value, int) else value


def text_of(row: dict[str, Any]) -> str:
    if "text" in row:
        return str(row["text"])
    return str(yaml.safe_dump(merged(BASE, row.get("patch") or blown_up(row["repeat"])), sort_keys=False))


def test_the_table_is_as_large_as_it_claims() -> None:
    assert len(ROWS) >= 100
    assert len({row["id"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
def test_a_wrong_manifest(row: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as caught:
        parse_manifest(text_of(row), "shop.yaml")
    assert [path for path, _ in caught.value.problems] == [row["path"]]
    sentence = caught.value.problems[0][1]
    for part in row["says"]:
        assert part in sentence
    assert "\n" not in str(caught.value)
    assert "for seconds" not in sentence or row["path"].endswith("Timeout")
