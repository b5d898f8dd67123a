"""The images: the operator's, which holds the agent, and the example application's. Built by docker, never pushed."""

import json
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from release import oci
from release.source import NotReleasable, Source, run

PYTHON_IMAGE = "python:3.11-slim-bookworm"
# Name, and the stage of the Dockerfile.
IMAGES = {"uwsgi-autopilot": "operator", "uwsgi-autopilot-app": "app"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """name: without registry and tag. reference: as docker has it. digest: of the manifest in `archive`."""

    name: str
    reference: str
    digest: str
    archive: Path


def build(source: Source, registry: str, base: str, out: Path) -> list[Image]:
    """Raises NotReleasable."""
    pinned = by_digest(source, base)
    date = datetime.fromtimestamp(source.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [_build(source, name, stage, registry, pinned, date, out) for name, stage in IMAGES.items()]


def by_digest(source: Source, base: str) -> str:
    """`base` with the digest that a registry gave it: the same tag is another image tomorrow."""
    if "@sha256:" in base:
        return base
    told = json.loads(run(source, "docker", "image", "inspect", base) if _has(source, base) else "[{}]")
    if digests := told[0].get("RepoDigests"):
        return f"{base}@{digests[0].partition('@')[2]}"
    why = f"{base} is not named by a digest, and docker knows none, as it never pulled it"
    print(f"make release: {why}: a release to try, not to publish; give PYTHON_IMAGE=...@sha256:...", file=sys.stderr)
    return base


def _has(source: Source, image: str) -> bool:
    try:
        run(source, "docker", "image", "inspect", image)
    except NotReleasable:
        return False
    return True


def _build(source: Source, name: str, stage: str, registry: str, base: str, date: str, out: Path) -> Image:
    reference = f"{registry.rstrip('/') + '/' if registry else ''}{name}:{source.version}"
    labels = {"version": source.version, "created": date, "base.name": base, "licenses": "Apache-2.0"}
    told = [f"--label=org.opencontainers.image.{key}={value}" for key, value in labels.items()]
    run(
        source, "docker", "build", "--quiet", f"--target={stage}", f"--tag={reference}",
        f"--build-arg=PYTHON_IMAGE={base}", f"--build-arg=SOURCE_DATE_EPOCH={source.epoch}", *told, ".",
    )  # fmt: skip
    archive = out / f"{name}-{source.version}.oci.tar"
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved.tar"
        run(source, "docker", "save", f"--output={saved}", reference)
        digest = oci.convert(saved, archive, source.version, source.epoch, date)
    return Image(name=name, reference=reference, digest=digest, archive=archive)
