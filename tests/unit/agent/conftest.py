"""What the agent writes is written by a thread of its own (agent/relay.py)."""

import pytest

from uwsgi_autopilot.agent import relay


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]):
    """`told()` is all that was logged since it was last asked."""

    def read() -> str:
        relay.flush()
        return capfd.readouterr().err

    return read
