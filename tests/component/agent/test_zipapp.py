"""The agent as it runs in a container: one file, standard library only, on every Python that a pod may have."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.desired import DesiredShape, Version
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.bundle import build_agent
from uwsgi_autopilot.kernel.spawn import clean_environment
from uwsgi_autopilot.local.agentclient import AgentClient

pytestmark = pytest.mark.component
VERSIONS = ["3.10", "3.11", "3.12", "3.13"]


def interpreter(version: str) -> str | None:
    """A Python of that version that starts: a name in PATH may be a shim for one that is not chosen."""
    candidates = [shutil.which(f"python{version}")]
    candidates += sorted(str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for found in filter(None, candidates):
        told = subprocess.run([found, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True)
        if told.stdout.decode().strip() == version:
            return found
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_the_one_file_serves_and_changes_shape(tmp_path, short_directory, uwsgi_programs, version):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"NOT TESTED: Python {version} is not installed")
    bundle = build_agent(tmp_path / "agent.pyz")
    run = short_directory
    (run / "private").mkdir(mode=0o700)
    config = AgentConfig(
        name="zipapp",
        uwsgi=(str(uwsgi_programs[0].path),),
        module="app:app",
        chdir=str(Path(__file__).parent / "site"),
        socket=str(run / "app.sock"),
        private=str(run / "private"),
        desired=str(run / "desired"),
        start=Shape(1, 2),
        listen=(f"unix:{run}/agent.sock",),
    )
    (run / "agent.json").write_text(config.to_text())
    # -I: nothing of this checkout or of an environment can be imported, only the file and the standard library.
    agent = subprocess.Popen(
        [python, "-I", "-W", "error::SyntaxWarning", str(bundle), str(run / "agent.json")],
        env=clean_environment({"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    client = AgentClient(str(run / "agent.sock"))
    try:
        assert _until(lambda: (client.state(0) or {}).get("ready")), _output(agent)
        desired = DesiredShape(version=Version(1, 1), shape=Shape(2, 3))
        (run / "desired.new").write_text(desired.to_text())
        (run / "desired.new").rename(run / "desired")
        assert _until(lambda: (client.state(0) or {}).get("shape") == {"processes": 2, "threads": 3})
        pss = Path(f"/proc/{agent.pid}/smaps_rollup").read_text()
        kib = next(int(line.split()[1]) for line in pss.splitlines() if line.startswith("Pss:"))
        assert kib < 25 * 1024, f"the agent takes {kib / 1024:.1f} MiB"
    finally:
        client.close()
        agent.terminate()
        agent.wait(60)
        assert agent.stdout is not None
        agent.stdout.close()
    assert agent.returncode == 0


def _until(wanted, timeout: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if wanted():
            return True
        time.sleep(0.1)
    return False


def _output(agent) -> str:
    agent.kill()
    return agent.communicate()[0].decode()
