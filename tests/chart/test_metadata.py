"""What the chart says about itself, to Artifact Hub and to whoever builds for another kind of machine."""

import re
from pathlib import Path

import yaml

from uwsgi_autopilot.api.crd import NAME, VERSION
from uwsgi_autopilot.api.manifest import parse_manifest
from uwsgi_autopilot.api.uwsgiapp import KIND

ROOT = Path(__file__).parents[2]
CHART = yaml.safe_load((ROOT / "chart" / "Chart.yaml").read_text(encoding="utf-8"))
SAID = {key.removeprefix("artifacthub.io/"): value for key, value in CHART["annotations"].items()}


def test_every_annotation_is_a_text() -> None:
    """Helm reads no others, and Artifact Hub parses those that hold YAML."""
    assert [key for key, value in CHART["annotations"].items() if not isinstance(value, str)] == []


def test_the_definition_is_the_one_that_is_installed() -> None:
    (told,) = yaml.safe_load(SAID["crds"])
    assert (told["kind"], told["version"], told["name"]) == (KIND, VERSION, NAME)


def test_the_example_is_a_manifest() -> None:
    (example,) = yaml.safe_load(SAID["crdsExamples"])
    assert parse_manifest(yaml.safe_dump(example), "Chart.yaml").image == "shop:1.4"


def test_the_images_are_built_for_no_machine_in_particular() -> None:
    """Every stage begins with the one base, of which there is one for arm64 too, and nothing is fetched by name."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    names = set(re.findall(r" AS ([a-z-]+)", text))
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - names
    assert bases == {"${PYTHON_IMAGE}"}
    assert re.findall("amd64|x86|--platform|curl|wget|ADD ", text) == []
