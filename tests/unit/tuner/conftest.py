"""The tuner on samples: hand-made ones (making.py), or those of a simulated pod, flown by local mode's own autopilot
(tests/simulator).

Real here: every function of the tuner, and in stories, properties and recordings the fleet of one. Not real: uWSGI, the
machine, and time, which comes in with the samples. What the simulator leaves out, and how it was held against real
uWSGI: tests/simulator/__init__.py.
"""

import sys
from pathlib import Path

# The simulator is imported as tests.simulator, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
