"""For all tests: what was left out is said in red at the end, where the run would otherwise look complete; and no
example of a property has a deadline, because timings do not belong in tests. `make fuzz` asks for more examples of
those marked `fuzz`, and says how many each had."""

import os
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")
if examples := os.environ.get("FUZZ_EXAMPLES"):
    # Without the database of earlier failures: the same seed gives the same examples.
    settings.register_profile(
        "fuzz", max_examples=int(examples), deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("fuzz")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    told = str(getattr(item, "hypothesis_statistics", ""))
    if "FUZZ_EXAMPLES" in os.environ and told:
        passed = sum(int(each) for each in re.findall(r"(\d+) passing", told))
        item.user_properties = [("examples", passed), ("refused", _share_of(told, "sentences"))]
    return (yield)


def _share_of(told: str, event: str) -> str:
    found = re.search(rf"([\d.]+)%, {event}", told)
    return f"{found[1]}% {event}" if found else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [
        (each.nodeid.removeprefix("tests/"), dict(each.user_properties), each.outcome, each.duration)
        for outcome in ("passed", "failed")
        for each in terminalreporter.stats.get(outcome, [])
        if each.when == "call" and dict(each.user_properties).get("examples")
    ]
    if rows:
        terminalreporter.section(f"{sum(row[1]['examples'] for row in rows)} examples")
        for name, told, outcome, seconds in sorted(rows):
            terminalreporter.write_line(
                f"{told['examples']:>7} {seconds:>5.0f} s  {outcome}  {name}  {told['refused']}"
            )
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(each.longrepr[2]).removeprefix("Skipped: ") for each in skipped)
    if reasons:
        terminalreporter.section("not tested on this machine", red=True, bold=True)
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count} x {reason}")
