"""The documentation follows the code: what a person can type, read or meet is described, and what is named exists."""

import inspect
import re
from pathlib import Path

import pytest

from uwsgi_autopilot.api.agentstate import AgentState
from uwsgi_autopilot.api.nginxschema import Nginx
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.cli import main
from uwsgi_autopilot.loadgen.plan import _FIELDS as LOAD_FIELDS
from uwsgi_autopilot.report.metrics import METRICS, PREFIX
from uwsgi_autopilot.report.reasons import Reason, RefusalReason
from uwsgi_autopilot.tuner.guards import GUARDS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "uwsgi_autopilot"
PAGES = sorted(
    page
    for place in ROOT.iterdir()
    if not place.name.startswith(".") and place.name not in ("build", "dist")
    for page in ([place] if place.suffix == ".md" else place.rglob("*.md") if place.is_dir() else [])
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def first_cells(text: str) -> set[str]:
    """The words in backticks in the first column of every table."""
    rows = re.findall(r"^\| (`[^|]+?) \|", text, re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def section(text: str, heading: str) -> str:
    """From `heading` to the next one of the same level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("command", ["local", "demo", "dev"])
def test_every_flag_of_the_help_is_described(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    flags = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    assert "--port" in flags
    described = {word.split()[0] for word in first_cells(section(text_of("docs/local.md"), "## Flags"))}
    assert flags - described == set()


def test_every_flag_of_replay_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["replay", "--help"])
    flags = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)) - {"--help", "--record"}
    assert {word.split()[0] for word in first_cells(text_of("docs/replay.md")) if word.startswith("--")} == flags


def test_every_field_of_a_load_is_described() -> None:
    described = {word.partition("=")[0] for word in first_cells(section(text_of("docs/local.md"), "## Load"))}
    assert described == set(LOAD_FIELDS)


def test_every_field_of_nginx_is_described() -> None:
    assert {each.alias for each in Nginx.model_fields.values()} - first_cells(text_of("docs/nginx.md")) == set()


def test_every_field_of_the_report_is_described() -> None:
    written = re.findall(r'^        "([a-z_]+)": ', (PACKAGE / "local/report.py").read_text(encoding="utf-8"), re.M)
    assert "throughput_rps" in written
    assert first_cells(section(text_of("docs/local.md"), "## The report")) == set(written)


def test_every_reason_is_explained_and_no_other() -> None:
    explained = first_cells(section(text_of("docs/tuning.md"), "## Reasons"))
    assert explained == {reason.value for reason in Reason}


def test_the_guards_are_listed_in_the_order_in_which_they_are_asked() -> None:
    listed = re.findall(r"`([A-Za-z]+)`", section(text_of("docs/tuning.md"), "## Guards"))
    words = [re.search(r"reason=Reason\.([A-Z_]+)", inspect.getsource(guard)) for guard in GUARDS]
    assert listed == [Reason[word[1]].value for word in words if word]


def test_every_refusal_of_the_agent_is_explained() -> None:
    assert first_cells(section(text_of("docs/agent.md"), "### Refusals")) == {reason.value for reason in RefusalReason}


def test_every_metric_is_described_and_no_other() -> None:
    described = first_cells(section(text_of("docs/agent.md"), "## Metrics"))
    assert described == {PREFIX + name for name in METRICS}


def test_every_field_of_the_state_is_described() -> None:
    written = set(AgentState(agent="", app="", uid="", pid=1, now=0.0, target=Shape(1, 1)).to_json())
    assert "serving" in written
    assert first_cells(section(text_of("docs/agent.md"), "## State")) == written


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docs/local.md"])
def test_every_verb_exists(name: str) -> None:
    verbs = set(re.findall(r"^([a-z0-9-]+):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z0-9-]*)", text_of(name), re.MULTILINE))
    assert named, f"{name} names no verb any more: take it off this list"
    assert named - verbs == set()


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_no_link_is_dead(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_every_folder_of_the_tree_exists_and_every_package_is_in_it() -> None:
    tree = re.search(r"```\n(.*?)```", section(text_of("README.md"), "## Repository layout"), re.DOTALL)
    assert tree is not None
    lines = re.findall(r"^( *)(\S+)/", tree[1], re.MULTILINE)
    folders = {PACKAGE / name if indent else ROOT / name for indent, name in lines}
    assert len(folders) >= 10
    assert sorted(str(folder) for folder in folders if not any(folder.glob("*"))) == []
    packages = {init.parent for init in PACKAGE.glob("*/__init__.py")}
    assert packages - folders == set()


def references() -> list[tuple[str, str, str]]:
    """(page, file, name) of each `file.py` and `file.py:name` in the prose; name is "" without one."""
    pattern = r"`((?:[\w.-]+/)*[\w-]+\.py)(?::([\w.]+))?`"
    return [
        (page.name, path, name)
        for page in PAGES
        for path, name in re.findall(pattern, without_code(page.read_text(encoding="utf-8")))
    ]


def defines(code: str, name: str) -> bool:
    return (
        re.search(rf"^ *(?:(?:(?:async )?def|class) {name}\b|{name}\b(?:: [^=]+)? = )", code, re.MULTILINE) is not None
    )


def test_every_file_and_function_that_is_named_exists() -> None:
    named = references()
    assert sum(1 for _, _, name in named if name) >= 30
    missing = []
    for page, path, name in named:
        if path.startswith("src/") or (page != "ARCHITECTURE.md" and "/" not in path):
            continue  # of somebody's application, such as wsgi.py
        file = next((place / path for place in (PACKAGE, ROOT) if (place / path).is_file()), None)
        code = file.read_text(encoding="utf-8") if file else ""
        if file is None or not all(defines(code, part) for part in name.split(".") if part):
            missing.append((page, path, name))
    assert missing == []
