"""Make the one file that runs in the application's container: the agent as a zipapp, standard library only.

The same sources give the same bytes, whenever and by whomever it is made: the files have a fixed order, date and mode.
zipapp.create_archive would take dates from the file system.
"""

import os
import sys
import time
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).parent
# What the agent imports; that these import nothing else is checked by import-linter, and by running the file.
PARTS = ("agent", "api", "kernel", "report", "uwsgi")
MAIN = "import sys\n\nfrom uwsgi_autopilot.agent.main import main\n\nsys.exit(main())\n"
SHEBANG = b"#!/usr/bin/env python3\n"
# The least that a zip archive can say: 1980.
EARLIEST = 315532800


def build_agent(target: Path) -> Path:
    """Write the zipapp to `target`, executable, for any Python >= 3.10. Its files are from SOURCE_DATE_EPOCH, where it
    is set. Raises OSError."""
    files = {"__main__.py": MAIN.encode(), f"{PACKAGE.name}/__init__.py": (PACKAGE / "__init__.py").read_bytes()}
    for part in PARTS:
        for each in sorted((PACKAGE / part).rglob("*.py")):
            files[f"{PACKAGE.name}/{each.relative_to(PACKAGE).as_posix()}"] = each.read_bytes()
    date = time.gmtime(max(EARLIEST, int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST))))[:6]
    with target.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w") as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, date)
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)
    target.chmod(0o755)
    return target


if __name__ == "__main__":
    build_agent(Path(sys.argv[1]))
