"""What the chart says once more, because it is read without Python."""

import re
from pathlib import Path

from uwsgi_autopilot.api.agentconfig import AGENT_PORT

TEMPLATE = Path(__file__).parents[3] / "chart" / "templates" / "pod" / "_template.tpl"


def test_the_charts_port_of_the_agent_is_ours():
    assert re.findall(r"name: agent, containerPort: (\d+)", TEMPLATE.read_text(encoding="utf-8")) == [str(AGENT_PORT)]
