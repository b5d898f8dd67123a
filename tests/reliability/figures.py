"""What was claimed and what was measured, as a table: on the terminal, and in docs/reliability.md."""

import os
import re
import time
from dataclasses import dataclass

from tests.reliability.kindcluster import ROOT

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
    over = "" if found <= most else f", {found - most:.{digits}f} {unit} too much".replace("  ", " ")
    measured = f"{found:.{digits}f} {unit}{over}{more}"
    return Figure(claim=claim, target=f"≤ {most:g} {unit}", measured=measured, reached=found <= most)


def table(figures: list[Figure]) -> str:
    head = "| claim | target | measured | reached |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {f.claim} | {f.target} | {f.measured} | {f.verdict} |\n" for f in figures)


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, shared by the cluster, the agents and the operator"


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
