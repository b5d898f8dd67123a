"""What comes from outside, made wrong on purpose. A few examples each here; `make fuzz` asks for thousands.

Nothing of this is patched: parsers get bytes, servers get connections, files are files.
"""

import sys
from pathlib import Path

import pytest

# mutations.py is imported as tests.unit.fuzz.mutations, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for each in items:
        if here in each.path.parents:
            each.add_marker(pytest.mark.fuzz)
