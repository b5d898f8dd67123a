"""Real here: the autopilot, the recorder and its files, and what reads and plays them. Not real: uWSGI and the machine,
which are a simulated pod (tests/simulator); tests/component/local/test_replay.py has the real ones, and so has
what is in tests/recordings.
"""

import sys
from pathlib import Path

# The simulator is imported as tests.simulator, whether pytest was started as a command or as a module.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
