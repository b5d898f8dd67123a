"""What a test has measured: told at the end of the run, asserted nowhere."""

import pytest


class Figures:
    """Counts and times that a test has found, for the end of the run."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def append(self, line: str) -> None:
        self._item.user_properties.append(("figure", line))  # goes with the report, also from another process
