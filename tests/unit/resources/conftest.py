"""Manifests and live objects in, objects and status out. No cluster: what one would say was recorded (ailing.yaml)."""

import sys
from pathlib import Path

# making.py is imported as tests.unit.resources.making, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
