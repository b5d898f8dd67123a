"""What is released: this checkout, under which version, and from when."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import tomllib

ROOT = Path(__file__).parents[1]
# Where each version stands: a release must find the same in all of them.
_PLACES = {
    "operator/uwsgi_autopilot/__init__.py": r'^__version__ = "(.+)"$',
    "chart/Chart.yaml": r"^version: (.+)$",
}


class NotReleasable(Exception):
    """One sentence: what there is to do first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """epoch: of the commit, seconds since 1970; every date in what is made."""

    root: Path
    version: str
    epoch: int

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SOURCE_DATE_EPOCH": str(self.epoch)}


def read_source(version: str, root: Path = ROOT) -> Source:
    """Raises NotReleasable when a file says another version."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    found = {"pyproject.toml": project}
    for place, pattern in _PLACES.items():
        match = re.search(pattern, (root / place).read_text(encoding="utf-8"), re.MULTILINE)
        found[place] = match[1] if match else "none"
    for place, says in found.items():
        if says != version:
            raise NotReleasable(f"{place}: expected the version {version}, found {says}; commit the change of it first")
    return Source(root=root, version=version, epoch=_epoch(root))


def _epoch(root: Path) -> int:
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReleasable("this is no git checkout, so nothing says from when it is; set SOURCE_DATE_EPOCH")
    return int(done.stdout)


def run(source: Source, *command: str, text: str | None = None) -> str:
    """Standard output of a program that is given the date. Raises NotReleasable with the program's own words."""
    try:
        done = subprocess.run(
            command, cwd=source.root, env=source.environment, capture_output=True, text=True, input=text, check=False
        )
    except FileNotFoundError:
        raise NotReleasable(f"{command[0]} is missing; install it") from None
    if done.returncode:
        raise NotReleasable(f"{' '.join(command[:4])}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
