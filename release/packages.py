"""The wheel and the sdist by hatchling, which takes its dates from SOURCE_DATE_EPOCH, and the agent as one file."""

import sys
from pathlib import Path

from release.source import Source, run


def build(source: Source, out: Path) -> list[Path]:
    """Raises NotReleasable."""
    before = set(out.iterdir())
    run(source, sys.executable, "-m", "hatchling", "build", "--directory", str(out.resolve()))
    agent = out.resolve() / f"uwsgi-autopilot-agent-{source.version}.pyz"
    # By the code of this checkout, whatever is installed.
    run(source, sys.executable, "operator/uwsgi_autopilot/bundle.py", str(agent))
    return sorted(set(out.iterdir()) - before)
