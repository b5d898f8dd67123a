"""The commands that a page tells its reader to type, for the tests that type them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Block:
    """A block of commands: its text as it stands on the page."""

    page: str
    text: str

    @property
    def commands(self) -> list[str]:
        """One for each command, without comments and line breaks."""
        whole = re.sub(r"\\\n\s*", "", self.text)
        return [found for line in whole.splitlines() if (found := re.sub(r"(^|\s+)# .*$", "", line).strip())]


def blocks(page: str, languages: str = "sh|bash|console") -> list[Block]:
    """page: below the repository, such as "docs/serve.md"."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^ *```(?:{languages})\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [Block(page, each) for each in found]


def commands(page: str, having: str) -> list[str]:
    """Those of the one block that has this text in it. A test that calls it is who types that block: what calls there
    are is what tests/unit/test_pages.py counts."""
    (block,) = [each for each in blocks(page) if having in each.text]
    return block.commands
