"""A pod is reached over both families, and starts where the kernel has but one.

Real: what the init container runs, the agent, nginx, and for the second half a filter in the kernel (noipv6.py).
"""

import errno
import http.client
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.component.agent import noipv6
from tests.component.agent.pod import PodProcesses
from uwsgi_autopilot.agent.listener import bind, kernel_has_ipv6

pytestmark = pytest.mark.component

V4, V6 = "127.0.0.1", "::1"
WITHOUT = (sys.executable, noipv6.__file__)


def need_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as probe:
        if probe.connect_ex((V6, 1)) == errno.EADDRNOTAVAIL:
            pytest.skip("NOT TESTED: this machine has no IPv6")


def need_filter() -> None:
    if not noipv6.available():
        pytest.skip("NOT TESTED: the filter is not written for this kind of machine")


def asked(host: str, port: int, path: str) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def everywhere(pod: PodProcesses, host: str) -> list[int]:
    """Status of a client's request, the kubelet's and the operator's."""
    return [
        asked(host, pod.client, "/"),
        asked(host, pod.probes, "/_autopilot/ready"),
        asked(host, pod.port, "/healthz"),
    ]


def install(target: Path, nginx: Path, ports: Sequence[int], before: Sequence[str] = ()) -> str:
    """As the init container does it, with what it says."""
    command = [sys.executable, "-I", "-m", "uwsgi_autopilot.agent", "--install", str(target), str(nginx)]
    done = subprocess.run([*before, *command, *map(str, ports)], capture_output=True, text=True, check=True, timeout=60)
    return done.stderr


def test_clients_the_kubelet_and_the_operator_reach_a_pod_over_both_families(pod):
    need_ipv6()
    served = pod(everywhere=True)
    served.until(lambda: served.ready()[0] == 200, "ready")
    assert everywhere(served, V6) == [200, 200, 200]
    assert everywhere(served, V4) == [200, 200, 200]


def test_a_pod_starts_where_the_kernel_has_no_ipv6(pod, tmp_path, nginx_program):
    need_filter()
    (tmp_path / "nginx.conf").write_text("daemon off; events {} http { server { listen [::]:18999; } }")
    control = [*WITHOUT, nginx_program, "-t", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "stderr"]
    said = subprocess.run(control, capture_output=True, text=True, check=False, timeout=60)
    assert "Address family not supported" in said.stderr, "such a line is what nginx does not start with"

    served = pod(everywhere=True, before=WITHOUT)
    served.until(lambda: served.ready()[0] == 200, "ready")
    assert everywhere(served, V4) == [200, 200, 200]
    assert "no IPv6" in (served.run / "install.log").read_text()


def test_the_agent_is_copied_and_nginx_is_told_one_line_for_each_port(tmp_path):
    (tmp_path / "nginx").mkdir()
    assert install(tmp_path / "agent", tmp_path / "nginx", (8080, 9118)) == ""
    assert (tmp_path / "agent").stat().st_mode & 0o777 == 0o644
    written = {each.name: each.read_text() for each in (tmp_path / "nginx").iterdir()}
    lines = {f"listen-{port}.conf": f"listen [::]:{port};\n" for port in (8080, 9118)}
    assert written == (lines if kernel_has_ipv6() else {})


def test_without_the_folder_the_agent_is_copied_all_the_same(tmp_path):
    if kernel_has_ipv6():
        assert "IPv4 alone" in install(tmp_path / "agent", tmp_path / "none", (8080,))
    assert (tmp_path / "agent").exists()


def test_every_address_of_both_families_is_one_socket():
    need_ipv6()
    with bind("[::]:0", 8) as listening:
        for family, host in ((socket.AF_INET, V4), (socket.AF_INET6, V6)):
            with socket.socket(family) as client:
                client.connect((host, listening.getsockname()[1]))
