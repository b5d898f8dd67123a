"""For all tests: what was left out is said in red at the end, where the run would otherwise look complete; and no
example of a property has a deadline, because timings do not belong in tests."""

from collections import Counter

import pytest
from hypothesis import settings

settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(each.longrepr[2]).removeprefix("Skipped: ") for each in skipped)
    if reasons:
        terminalreporter.section("not tested on this machine", red=True, bold=True)
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count} x {reason}")
