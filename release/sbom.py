"""What the operator's image consists of, as CycloneDX: its Python packages, with the hashes they were installed by, and
Debian's packages where the image was built."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from release.images import Image
from release.source import Source, run

REQUIREMENTS = "requirements/operator.txt"


def build(source: Source, built: Sequence[Image], out: Path) -> Path:
    """Raises NotReleasable."""
    made = out / f"uwsgi-autopilot-{source.version}.cdx.json"
    run(
        source, sys.executable, "-m", "cyclonedx_py", "requirements", REQUIREMENTS, "--pyproject=pyproject.toml",
        "--output-reproducible", "--output-format=JSON", f"--output-file={made.resolve()}",
    )  # fmt: skip
    bill = json.loads(made.read_text(encoding="utf-8"))
    for each in built:
        if each.name == "uwsgi-autopilot":
            bill["components"] += debian(source, each.reference)
            bill["metadata"]["component"]["hashes"] = [
                {"alg": "SHA-256", "content": each.digest.removeprefix("sha256:")}
            ]
    made.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return made


def debian(source: Source, reference: str) -> list[dict[str, Any]]:
    """The packages that dpkg lists in an image."""
    shown = "${Package} ${Version} ${Architecture}\\n"
    text = run(
        source, "docker", "run", "--rm", "--network=none", "--entrypoint=dpkg-query", reference, "-W", f"-f={shown}"
    )
    return [_component(*line.split(" ")) for line in sorted(text.splitlines())]


def _component(name: str, version: str, architecture: str) -> dict[str, Any]:
    purl = f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={architecture}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
