"""The chart as an archive: its version, and the images of this release, by digest where they were built."""

import gzip
import io
import re
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from release.images import Image
from release.source import NotReleasable, Source, run

# The operator's image, and the same for the agent in each pod.
_COMMENTS = r"(?:\n +#.*)*"
_OURS = re.compile(
    rf"^(?P<indent> +)repository: uwsgi-autopilot$(?P<between>{_COMMENTS})"
    rf'\n +tag: dev$(?P<more>{_COMMENTS})\n +digest: ""$',
    re.MULTILINE,
)
_EXAMPLE = re.compile(r"^( +)image: uwsgi-autopilot-app:dev$", re.MULTILINE)
PLACES = 2


def build(source: Source, registry: str, built: Sequence[Image], out: Path) -> Path:
    """Raises NotReleasable."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "chart"
        shutil.copytree(source.root / "chart", copied)
        values = copied / "values.yaml"
        text = with_images(values.read_text(encoding="utf-8"), source.version, registry, built)
        text = with_images(values.read_text(encoding="utf-8"), source.version, registry, built)
        values.write_text(text, encoding="utf-8")
        version = (f"--version={source.version}", f"--app-version={source.version}")
        run(source, "helm", "package", str(copied), f"--destination={folder}", *version)
        name = f"uwsgi-autopilot-{source.version}.tgz"
        made = out / f"uwsgi-autopilot-chart-{source.version}.tgz"
        made.write_bytes(dated(Path(folder, name).read_bytes(), source.epoch))
    return made


def with_images(values: str, version: str, registry: str, built: Sequence[Image]) -> str:
    """The text of values.yaml with the images of a release. Raises NotReleasable when it has no places for them."""
    digests = {each.name: each.digest for each in built}

    def named(found: "re.Match[str]") -> str:
        indent, digest = found["indent"], digests.get("uwsgi-autopilot", "")
        return (
            f"{indent}repository: {prefix}uwsgi-autopilot{found['between']}\n"
            f'{indent}tag: "{version}"{found["more"]}\n{indent}digest: "{digest}"'
        )

    prefix = f"{registry.rstrip('/')}/" if registry else ""
    text, count = _OURS.subn(named, values)
    text, examples = _EXAMPLE.subn(rf'\g<1>image: "{prefix}uwsgi-autopilot-app:{version}"', text)
    if (count, examples) != (PLACES, 1):
        raise NotReleasable(
            f"chart/values.yaml: expected {PLACES} places for the image and 1 for the example's, found {count} and "
            f"{examples}"
        )
    return text


def dated(archive: bytes, epoch: int) -> bytes:
    """The same files, all from `epoch`: helm writes the time at which it ran."""
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as old,
        gzip.GzipFile(fileobj=made, mode="wb", filename="", mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for each in old:
            each.mtime = epoch
            each.pax_headers = {}
            new.addfile(each, old.extractfile(each))
    return made.getvalue()
