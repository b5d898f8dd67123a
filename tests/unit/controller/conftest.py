"""The controller without a cluster and without a network.

Real here: the pilot, its wishes and trials, the tuner, the simulated machine below each pod (tests/simulator), the
agent's own reader of wishes. Not real: the API server (fakes.py), the agents' HTTP (their JSON is handed over), time.
"""

import sys
from pathlib import Path

# The simulator is imported as tests.simulator, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
