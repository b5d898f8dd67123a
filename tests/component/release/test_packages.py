"""The packages of a release, really made: the same bytes whenever they are made, and the chart as helm reads it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from release import chart, packages, sbom
from release.images import Image
from release.source import Source, read_source
from uwsgi_autopilot.bundle import build_agent

pytestmark = pytest.mark.component
VERSION = "0.1.0"
EPOCH = "1700000000"


@pytest.fixture
def source(monkeypatch) -> Source:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    return read_source(VERSION)


def test_wheel_sdist_and_agent_are_the_same_bytes_again(source, tmp_path):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append({each.name: each.read_bytes() for each in packages.build(source, tmp_path / name)})
        # Other dates on the files themselves, as in a fresh clone.
        for each in (source.root / "operator/uwsgi_autopilot/agent").glob("*.py"):
            each.touch()
    assert sorted(made[0]) == [
        "uwsgi-autopilot-agent-0.1.0.pyz", "uwsgi_autopilot-0.1.0-py3-none-any.whl", "uwsgi_autopilot-0.1.0.tar.gz",
    ]  # fmt: skip
    assert made[0] == made[1]


def test_the_agent_is_the_same_for_everybody(monkeypatch, tmp_path):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert build_agent(tmp_path / "a").read_bytes() == build_agent(tmp_path / "b").read_bytes()
    told = subprocess.run([sys.executable, "-I", tmp_path / "a"], capture_output=True, text=True, check=False)
    assert "Traceback" not in told.stderr


def test_the_chart_renders_with_the_images_of_the_release(source, tmp_path):
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("NOT TESTED: helm is not installed")
    digest = "sha256:" + "b" * 64
    built = [Image(name="uwsgi-autopilot", reference="r", digest=digest, archive=Path("x"))]
    archives = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        archives.append(chart.build(source, "registry.example.com", built, tmp_path / name))
    assert archives[0].read_bytes() == archives[1].read_bytes()
    done = subprocess.run([helm, "template", "a", archives[0]], capture_output=True, text=True, check=True)
    objects = {each["kind"]: each for each in yaml.safe_load_all(done.stdout) if each}
    image = f"registry.example.com/uwsgi-autopilot@{digest}"
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == image
    assert f"--agent-image={image}" in container["args"]
    agent = objects["PodTemplate"]["template"]["spec"]["initContainers"][0]
    assert agent["image"] == image


def test_the_bill_names_each_package_with_its_hashes(source, tmp_path):
    pytest.importorskip("cyclonedx_py", reason="NOT TESTED: cyclonedx-bom is not installed; `make release` installs it")
    first = sbom.build(source, [], tmp_path).read_bytes()
    assert sbom.build(source, [], tmp_path).read_bytes() == first
    bill = yaml.safe_load(first)
    assert bill["bomFormat"] == "CycloneDX"
    names = {each["name"] for each in bill["components"]}
    assert {"kopf", "kubernetes", "pydantic", "aiohttp"} <= names
