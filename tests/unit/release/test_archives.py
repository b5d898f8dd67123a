"""What a release is made of, as far as no program is needed for it: versions, the chart's images, OCI archives."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
import yaml

from release import chart, oci
from release.images import Image
from release.source import ROOT, NotReleasable, read_source

VERSION = "0.1.0"
EPOCH = 1_700_000_000
DATE = "2023-11-14T22:13:20Z"


def test_a_version_that_the_checkout_has_not_is_refused_with_the_file_that_says_so(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
    assert read_source(VERSION).epoch == EPOCH
    with pytest.raises(NotReleasable, match=r"pyproject.toml: expected the version 9\.9\.9, found 0\.1\.0"):
        read_source("9.9.9")


@pytest.mark.parametrize("file", ["operator", "build"])
def test_what_the_image_installs_has_hashes_and_the_versions_of_the_constraints(file):
    """`make requirements` writes them."""
    constraints = dict(each.lower().split("==") for each in (ROOT / "constraints.txt").read_text().split())
    entries = (ROOT / "requirements" / f"{file}.txt").read_text().replace("\\\n", " ").splitlines()
    for entry in entries:
        name, version = entry.split()[0].split("==")
        assert constraints.get(name.lower(), version) == version, "run `make requirements`"
        assert "--hash=sha256:" in entry


def test_the_chart_of_a_release_names_its_images_by_digest():
    built = [Image(name="uwsgi-autopilot", reference="r", digest="sha256:" + "a" * 64, archive=Path("x"))]
    values = (ROOT / "chart/values.yaml").read_text(encoding="utf-8")
    made = yaml.safe_load(chart.with_images(values, "1.2.3", "registry.example.com/team/", built))
    expected = {
        "repository": "registry.example.com/team/uwsgi-autopilot",
        "tag": "1.2.3",
        "digest": "sha256:" + "a" * 64,
    }
    for image in (made["operator"]["image"], made["pod"]["agent"]["image"]):
        assert expected.items() <= image.items()
    assert made["firstApp"]["spec"]["image"] == "registry.example.com/team/uwsgi-autopilot-app:1.2.3"


def test_a_chart_without_the_places_for_its_images_is_refused():
    with pytest.raises(NotReleasable, match="expected 2 places"):
        chart.with_images("operator: {}\n", "1.2.3", "", [])


def saved(folder: Path, mtime: int) -> Path:
    """As `docker save` writes an image of one layer with one file."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        entry = tarfile.TarInfo("app/a")
        entry.size, entry.mtime, entry.mode, entry.uid = 2, mtime, 0o640, 7
        archive.addfile(entry, io.BytesIO(b"hi"))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "container": str(mtime),
        "created": str(mtime),
        "history": [{"created": str(mtime), "created_by": "COPY"}],
        "rootfs": {"type": "layers", "diff_ids": ["?"]},
    }
    manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}]
    texts = {"c.json": config, "manifest.json": manifest}
    parts = {"l/layer.tar": layer.getvalue()} | {name: json.dumps(each).encode() for name, each in texts.items()}
    with tarfile.open(folder / f"{mtime}.tar", "w") as archive:
        for name, data in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return folder / f"{mtime}.tar"


def test_an_image_that_was_built_again_has_the_same_digest(tmp_path):
    digests = []
    for mtime in (EPOCH + 5, EPOCH + 500):
        target = tmp_path / f"{mtime}.oci.tar"
        digests.append(oci.convert(saved(tmp_path, mtime), target, VERSION, EPOCH, DATE))
    first, second = (each.read_bytes() for each in sorted(tmp_path.glob("*.oci.tar")))
    assert digests[0] == digests[1]
    assert first == second


def test_an_archive_holds_what_its_manifest_says(tmp_path):
    target = tmp_path / "a.oci.tar"
    digest = oci.convert(saved(tmp_path, EPOCH - 5), target, VERSION, EPOCH, DATE)
    with tarfile.open(target) as archive:
        held = {each.name: archive.extractfile(each).read() for each in archive}
    assert json.loads(held["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (top,) = json.loads(held["index.json"])["manifests"]
    assert top["digest"] == digest
    for name, data in held.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(data).hexdigest() == name.removeprefix("blobs/sha256/")
    manifest = json.loads(held["blobs/sha256/" + digest.removeprefix("sha256:")])
    config = json.loads(held["blobs/sha256/" + manifest["config"]["digest"].removeprefix("sha256:")])
    (layer,) = manifest["layers"]
    plain = gzip.decompress(held["blobs/sha256/" + layer["digest"].removeprefix("sha256:")])
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(plain).hexdigest()]
    assert config["created"] == DATE
    with tarfile.open(fileobj=io.BytesIO(plain)) as files:
        (entry,) = files
        assert (entry.name, entry.mode, entry.uid, entry.mtime) == ("app/a", 0o640, 7, EPOCH - 5)
