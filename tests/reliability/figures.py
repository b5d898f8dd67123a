"""What was claimed and what was measured, as a table: on the terminal, and in docs/reliability.md."""

import json
import os
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tests.reliability.kindcluster import ROOT

FOLDER = ROOT / ".cache/reliability"
PAGE = ROOT / "docs/reliability.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """reached None: nothing was promised."""

    claim: str
    target: str
    measured: str
    reached: bool | None = None

    @property
    def verdict(self) -> str:
        return {None: "", True: "yes", False: "**no**"}[self.reached]


def at_most(claim: str, found: float, most: float, unit: str, *, more: str = "", digits: int = 1) -> Figure:
    """`more`: what else is to be said of it."""
    unit = f" {unit}" if unit else ""
    over = "" if found <= most else f", {found - most:.{digits}f}{unit} too much"
    measured = f"{found:.{digits}f}{unit}{over}{more}"
    return Figure(claim=claim, target=f"≤ {most:g}{unit}", measured=measured, reached=found <= most)


def table(figures: list[Figure]) -> str:
    head = "| claim | target | measured | reached |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {f.claim} | {f.target} | {f.measured} | {f.verdict} |\n" for f in figures)


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    waiting = os.getloadavg()[2]
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, shared by the cluster, the agents and the operator"
        f" (load average of the last 15 minutes: {waiting:.0f})"
    )


def remember(section: str, name: str, figure: Figure) -> None:
    """So that a run of some of them completes the table of an earlier one."""
    file = FOLDER / f"{section}.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps({**known, name: asdict(figure)}, indent=1), encoding="utf-8")


def remembered(section: str, names: Iterable[str]) -> list[Figure]:
    """In the order of these."""
    known = json.loads((FOLDER / f"{section}.json").read_text(encoding="utf-8"))
    return [Figure(**known[name]) for name in names if name in known]


def write(section: str, figures: list[Figure], remark: str) -> None:
    """Put the table where the page has `<!-- section -->` … `<!-- end -->`."""
    text = PAGE.read_text(encoding="utf-8")
    told = f"Measured on {time.strftime('%Y-%m-%d')}, {machine()}. {remark}\n\n{table(figures)}"
    pattern = rf"(<!-- {section} -->\n).*?(<!-- end -->)"
    assert re.search(pattern, text, re.DOTALL), f"{PAGE.name} has no section {section}"
    PAGE.write_text(re.sub(pattern, lambda at: at[1] + told + at[2], text, flags=re.DOTALL), encoding="utf-8")


def report(section: str, figures: list[Figure], remark: str) -> int:
    """The exit status: 1 when something that was promised was not reached."""
    print(table(figures))
    write(section, figures, remark)
    return int(any(each.reached is False for each in figures))
