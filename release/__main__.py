"""python -m release VERSION [--registry REGISTRY] [--python-image IMAGE] [--out dist] [--without-images]"""

import argparse
import hashlib
import sys
from pathlib import Path

from release import chart, images, packages, sbom
from release.source import NotReleasable, Source, read_source

SUMS = "SHA256SUMS"


def main() -> int:
    asked = _parsed(sys.argv[1:])
    try:
        source = read_source(asked.version)
        made = release(source, asked)
    except NotReleasable as error:
        print(f"make release: {error}", file=sys.stderr)
        return 1
    for file in made:
        print(f"{file.stat().st_size:>12}  {file}")
    return 0


def release(source: Source, asked: argparse.Namespace) -> list[Path]:
    """What was made, with the list of checksums. Raises NotReleasable."""
    out: Path = asked.out
    out.mkdir(parents=True, exist_ok=True)
    if left := sorted(out.iterdir()):
        raise NotReleasable(
            f"{out} must be empty, or what is in it would look like a part of the release: {left[0].name}"
        )
    made = packages.build(source, out)
    built: list[images.Image] = []
    if not asked.without_images:
        built = images.build(source, asked.registry, asked.python_image, out)
    made += [each.archive for each in built]
    made.append(chart.build(source, asked.registry, built, out))
    made.append(sbom.build(source, built, out))
    return [*made, sums(out)]


def sums(out: Path) -> Path:
    """As `sha256sum --check SHA256SUMS` reads them."""
    lines = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in sorted(out.iterdir())]
    (out / SUMS).write_text("".join(lines), encoding="utf-8")
    return out / SUMS


def _parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--registry", default="", help="where the images will be, such as registry.example.com/team")
    parser.add_argument("--python-image", default=images.PYTHON_IMAGE, help="what the images are built on, by digest")
    parser.add_argument("--out", type=Path, default=Path("dist"))
    parser.add_argument("--without-images", action="store_true", help="the chart then names them by tag")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
