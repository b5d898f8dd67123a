"""Each block of commands on a page is typed by a test, which takes it from the page; the others are here, with why."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import ROOT, Block, blocks

PAGES = (
    "README.md",
    "docs/serve.md",
    "docs/machine.md",
    "docs/compose.md",
    "docs/django.md",
    "docs/doctor.md",
    "docs/nginx.md",
    "docs/load.md",
    "docs/local.md",
    "docs/replay.md",
    "docs/kubernetes.md",
    "chart/README.md",
)
# (page, a text that the block has): why no test types it.
NOT_TYPED = {
    ("README.md", "make e2e "): "make e2e, which begins with make cluster, is what runs the tests on a cluster",
    ("README.md", "kind create cluster"): "written out, what `make cluster` does; test_the_long_form... compares them",
    ("docs/django.md", "docker build"): "for a cluster and its registry; unit tests check image and manifests as files",
    ("chart/README.md", "kubectl delete crd"): "it would end every application of the cluster that the tests share",
}


def calls(file: Path) -> Iterator[tuple[str, str, str]]:
    """(page, having, who) of each `commands("page", "having")`."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for top in tree.body:
        for node in ast.walk(top):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "commands":
                page, having = (each.value for each in node.args if isinstance(each, ast.Constant))
                yield str(page), str(having), f"{file.relative_to(ROOT)}::{getattr(top, 'name', 'module')}"


TYPED = [
    found
    for place in ("component", "e2e")
    for file in sorted((ROOT / "tests" / place).rglob("*.py"))
    for found in calls(file)
]


@pytest.mark.parametrize("page", PAGES)
def test_each_block_of_commands_is_typed_by_a_test_or_has_a_reason(page: str) -> None:
    def claimed(block: Block) -> list[str]:
        typed = [who for named, having, who in TYPED if named == page and having in block.text]
        return typed + [why for (named, having), why in NOT_TYPED.items() if named == page and having in block.text]

    assert [block.text for block in blocks(page) if not claimed(block)] == []
    assert [block.text for block in blocks(page) if len(claimed(block)) > 1 and any(
        having in block.text for named, having in NOT_TYPED if named == page
    )] == [], "typed by a test, so no reason is needed"  # fmt: skip


@pytest.mark.parametrize(("page", "having"), [(page, having) for page, having, _ in TYPED] + list(NOT_TYPED))
def test_what_is_typed_or_left_out_is_one_block_of_the_page(page: str, having: str) -> None:
    assert len([each for each in blocks(page) if having in each.text]) == 1


def test_every_page_of_the_readmes_table_is_among_them() -> None:
    table = (
        (ROOT / "README.md").read_text(encoding="utf-8").partition("## How do you run uWSGI?")[2].partition("\n## ")[0]
    )
    linked = set(re.findall(r"\]\((docs/[a-z]+\.md)\)", table))
    assert len(linked) >= 5
    assert linked - set(PAGES) == set()


def test_a_command_is_a_line_without_its_comment_and_its_breaks() -> None:
    text = "# first\nmake demo       # watch\ncurl 'http://a/#b' \\\n    --fail\n\nls; wait     # \"x\" here\n"
    assert Block("a.md", text).commands == ["make demo", "curl 'http://a/#b' --fail", "ls; wait"]


def test_the_long_form_of_make_cluster_is_what_make_does() -> None:
    (block,) = [each for each in blocks("README.md") if "kind create cluster" in each.text]
    made = (
        (ROOT / "Makefile").read_text(encoding="utf-8").replace(" --quiet", "").replace("$(CLUSTER)", "uwsgi-autopilot")
    )
    script = (ROOT / "tests/e2e/kind-cluster.sh").read_text(encoding="utf-8").replace(' --name "$name"', "")
    script = script.replace('"$config"', "kind-config.yaml")
    assert [each for each in block.commands if each not in made + script] == []
