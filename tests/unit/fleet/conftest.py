"""The fleet without a cluster, without a network and without a clock.

Real here: the plan, the tuner, the agent's own reading of desired shapes, the simulated machine below each pod
(tests/simulator). Not real: the API server and the agents' HTTP (their JSON is handed over), time.
"""

import sys
from pathlib import Path

# The simulator is imported as tests.simulator, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
