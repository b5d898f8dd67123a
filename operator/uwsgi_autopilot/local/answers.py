"""Say it in one line when the load gets nothing but redirects and refusals: pure.

Such a load measures the login page, and its figures look fine: redirects do not count as failed.
"""

from collections.abc import Mapping

# Fewer may be the first steps of a session.
ENOUGH = 20


class Answers:
    """Call `step` with how often each status was answered so far."""

    def __init__(self) -> None:
        self._told = False

    def step(self, statuses: Mapping[str, int]) -> list[str]:
        """A sentence, once. Answers from 500 on are failing.py's."""
        if self._told or sum(statuses.values()) < ENOUGH or any(status[0] not in "34" for status in statuses):
            return []
        self._told = True
        each = ", ".join(f"{count:,} with status {status}" for status, count in statuses.items())
        return [
            f"the load gets no page: every answer so far is a redirect or a refusal ({each}). For pages behind a login "
            "give header=Cookie: …, or use another path"
        ]
