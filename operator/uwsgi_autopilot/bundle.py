"""Make the one file that runs in the application's container: the agent as a zipapp, standard library only."""

import sys
import tempfile
import zipapp
from pathlib import Path
from shutil import copytree, ignore_patterns

PACKAGE = Path(__file__).parent
# What the agent imports; that these import nothing else is checked by import-linter, and by running the file.
PARTS = ("agent", "api", "kernel", "report", "uwsgi")
MAIN = "import sys\n\nfrom uwsgi_autopilot.agent.main import main\n\nsys.exit(main())\n"


def build_agent(target: Path) -> Path:
    """Write the zipapp to `target`, executable, for any Python >= 3.10. Raises OSError."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        package = root / PACKAGE.name
        package.mkdir()
        for part in PARTS:
            copytree(PACKAGE / part, package / part, ignore=ignore_patterns("__pycache__"))
        (package / "__init__.py").write_bytes((PACKAGE / "__init__.py").read_bytes())
        (root / "__main__.py").write_text(MAIN, encoding="utf-8")
        zipapp.create_archive(root, target, interpreter="/usr/bin/env python3", compressed=True)
    return target


if __name__ == "__main__":
    build_agent(Path(sys.argv[1]))
