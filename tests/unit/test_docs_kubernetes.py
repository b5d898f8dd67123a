"""docs/kubernetes.md says what the code does: its tables are compared with the code's own lists."""

import re

import pytest

from tests.unit.test_docs import PACKAGE, first_cells, section, text_of
from uwsgi_autopilot.api.schema import Spec
from uwsgi_autopilot.api.tuningschema import Tuning
from uwsgi_autopilot.cli import main
from uwsgi_autopilot.fleet.history import Kind
from uwsgi_autopilot.report.metrics import PREFIX
from uwsgi_autopilot.report.operatormetrics import OPERATOR_METRICS
from uwsgi_autopilot.report.reasons import Reason

PAGE = text_of("docs/kubernetes.md")
# What the controller itself says; the tuner's and the agent's words are on their own pages.
CLUSTER_REASONS = {
    each.value for each in (Reason.PINNED, Reason.TRIAL_UNDECIDED, Reason.SHAPE_NOT_DELIVERED, Reason.RECYCLED)
}
# The words of answers ("True", "Serving", ...) and of causes, whatever computes them.
ANSWERS = (
    r'_failed\("([A-Z]\w+)"|trouble = \("([A-Z]\w+)"|\("(NotCreated)"|Cause\(reason="(\w+)"|'
    r'"(?:True|False|Unknown)", (?:cause\.reason if cause else )?"([A-Z]\w+)"'
)
CAUSES = r'reason="([A-Z]\w+)"|"(\w+Refused)"|\("(InitFailed)"|else \("(StartFailed)"|reason = "\w+" if .* else "(\w+)"'


def test_every_metric_of_the_operator_is_described_and_no_other() -> None:
    assert first_cells(section(PAGE, "### Operator metrics")) == {PREFIX + name for name in OPERATOR_METRICS}


@pytest.mark.parametrize(
    ("heading", "files", "pattern"),
    [
        ("### Rollout reasons", ["resources/conditions.py", "resources/rollouts.py"], ANSWERS),
        ("### Tuning reasons", ["resources/tuned.py", "resources/status.py", "controller/runner.py"], ANSWERS),
        ("### Causes", ["resources/causes.py", "resources/unwritten.py", "controller/statuswriter.py"], CAUSES),
    ],
)
def test_every_reason_of_a_condition_is_explained_and_no_other(heading: str, files: list[str], pattern: str) -> None:
    code = "\n".join((PACKAGE / file).read_text(encoding="utf-8") for file in files)
    words = {word for found in re.finditer(pattern, code) for word in found.groups() if word}
    assert len(words) >= 8
    assert first_cells(section(PAGE, heading)) == words


def test_every_kind_of_decision_on_a_cluster_is_explained() -> None:
    described = first_cells(section(PAGE, "## Decisions"))
    assert described == {kind.value for kind in Kind} | CLUSTER_REASONS


def test_every_flag_of_the_operator_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["operator", "--help"])
    flags = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)) - {"--help"}
    assert first_cells(section(PAGE, "## Operator")) == flags


def test_every_field_of_the_manifest_is_described() -> None:
    groups = {"spec.tuning", "spec.uwsgi", "spec.rollout"}
    fields = {f"spec.{each.alias}" for each in Spec.model_fields.values()} - groups
    fields |= {f"spec.tuning.{each.alias}" for each in Tuning.model_fields.values()}
    fields |= {"metadata.name", "spec.uwsgi.options", "spec.rollout.mode"}
    assert first_cells(section(PAGE, "## Manifest")) == fields
