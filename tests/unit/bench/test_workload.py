"""workload.yaml: what is read, and what a wrong one is told."""

from pathlib import Path

import pytest

from bench.workload import read_workload, read_workloads
from uwsgi_autopilot.api.uwsgiapp import UwsgiOption
from uwsgi_autopilot.errors import UsageError

GOOD = "module: app:app\npath: /io?ms=100&x=1\nclients: 64\n"


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "workload.yaml").write_text(text)
    return folder


def test_reads_every_field(tmp_path: Path) -> None:
    text = GOOD + "options: [{name: lazy-apps}, {name: buffer-size, value: 65535}]\nmemory: 256Mi\n"
    found = read_workload(write(tmp_path / "slow", text))
    assert (found.name, found.folder) == ("slow", tmp_path / "slow")
    assert (found.module, found.path, found.clients) == ("app:app", "/io?ms=100&x=1", 64)
    assert found.options == (UwsgiOption(name="lazy-apps"), UwsgiOption(name="buffer-size", value="65535"))
    assert found.memory == 256 * 1024 * 1024


def test_reads_the_folders_of_a_folder_by_name_and_one_alone(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / name, GOOD)
    (tmp_path / "empty").mkdir()
    assert [each.name for each in read_workloads(tmp_path)] == ["a", "b"]
    assert [each.name for each in read_workloads(tmp_path / "b")] == ["b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[", "workload.yaml: ", id="not YAML"),
        pytest.param("- 1", "expected module, path and clients, found [1]", id="a list"),
        pytest.param("", "expected module, path and clients, found None", id="empty"),
        pytest.param("module: app:app\npath: /\n", "clients is missing", id="a field missing"),
        pytest.param(GOOD + "threads: 4\n", "found 'threads'", id="an unknown field"),
        pytest.param(GOOD.replace("64", "0"), "clients: expected a whole number from 1", id="no clients"),
        pytest.param(GOOD.replace("64", "yes"), "clients: expected a whole number from 1", id="a boolean"),
        pytest.param(GOOD.replace("/io", "io"), "expected a path that begins with /", id="a wrong path"),
        pytest.param(
            GOOD.replace("app:app", "rm -rf"), "module: expected a module and a variable", id="a wrong module"
        ),
        pytest.param(GOOD + "options: [lazy-apps]\n", "options: expected a list of {name, value}", id="bare options"),
        pytest.param(GOOD + "options: [{name: threads, value: 4}]\n", "threads cannot be set", id="the shape itself"),
        pytest.param(GOOD + "memory: lots\n", "memory: ", id="no amount"),
    ],
)
def test_refuses_with_the_files_name_and_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_workload(write(tmp_path / "w", text))
    assert "workload.yaml: " in str(caught.value)
    assert says in str(caught.value)


def test_refuses_a_folder_without_any(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected folders with a workload.yaml in each, found none"):
        read_workloads(tmp_path)
