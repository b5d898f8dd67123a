"""The bench is no installed package: it is run from the checkout, and so are its tests. Pure functions only here."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))
