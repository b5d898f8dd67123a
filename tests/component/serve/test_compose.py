"""What compose.yaml runs, without containers: its ini under `serve`, and its configurations in the real nginx."""

import http.client
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.component.local.running import wait_for
from tests.component.serve.conftest import Serve, Site

ROOT = Path(__file__).resolve().parents[3]
APP = ROOT / "app"


def configuration(site: Site, name: str, nginx: str) -> Path:
    """nginx.conf with one of the files in it: paths and the port are this test's, the rest is as it stands."""
    for each in APP.glob("nginx/*"):
        text = each.read_text().replace("/run/app/", f"{site.folder}/").replace("listen 8080", f"listen {site.port}")
        text = text.replace("include app/", f"include {site.folder}/").replace("/dev/stdout", f"{site.folder}/access")
        text = text.replace("/etc/nginx/uwsgi_params", f"{site.folder}/uwsgi_params")
        site.write(each.name, text)
    names = ("QUERY_STRING", "REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT")
    site.write("uwsgi_params", "".join(f"uwsgi_param {each} ${each.lower()};\n" for each in names))
    with (site.folder / "uwsgi_params").open("a") as params:
        params.write("uwsgi_param PATH_INFO $document_uri;\n")
    temporary = "".join(
        f"{kind}_temp_path {site.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return site.write(
        "nginx.conf",
        # A worker of root's nginx would be nobody, and the socket's group is ours.
        f"{'user root;' if os.geteuid() == 0 else ''}\npid {site.folder}/pid;\nerror_log stderr error;\n"
        "daemon off;\nevents {}\n"
        f"http {{\n{temporary}include {site.folder}/{name};\n}}\n",
    )


@pytest.mark.parametrize("name", ["socket.conf", "tcp.conf", "two.conf"])
def test_nginx_accepts_each_configuration(site: Site, nginx_program: str, name: str) -> None:
    path = configuration(site, name, nginx_program)
    done = subprocess.run([nginx_program, "-t", "-c", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_every_file_that_compose_mounts_exists() -> None:
    mounted = re.findall(r'"\./([^:"]+):', (ROOT / "compose.yaml").read_text())
    assert mounted
    assert [each for each in mounted if not (ROOT / each).exists()] == []


def test_the_ini_behind_that_nginx_tells_p99_and_its_absence_is_a_503(
    site: Site, serve: Serve, nginx_program: str
) -> None:
    for name in ("compose.ini", "wsgi.py"):
        shutil.copy(APP / name, site.folder)
    path = configuration(site, "socket.conf", nginx_program)
    run = serve(
        *("compose.ini", "--log-socket", str(site.folder / "app.log.sock")),
        env={"SOCKET": str(site.folder / "app.sock")},
    )
    with subprocess.Popen([nginx_program, "-c", str(path)], stderr=subprocess.DEVNULL) as nginx:
        try:
            wait_for(lambda: answered(site, "/nginx-health") == 200)
            assert site.get("/io?ms=20") == (200, "waited 20 ms")
            wait_for(lambda: any(each["latency"] for each in site.state()["samples"]))
            # As nginx itself writes it, to the container's standard output.
            line = re.compile(r'^127.0.0.1 - - \[.*\] "GET /io\?ms=20 HTTP/1.1" 200 ', re.MULTILINE)
            wait_for(lambda: line.search(accessed(site)))  # written when the answer has been sent
            run.end()
            assert answered(site, "/") == 503
        finally:
            nginx.send_signal(signal.SIGTERM)


def accessed(site: Site) -> str:
    return (site.folder / "access").read_text()


def answered(site: Site, path: str) -> int:
    """0: nobody listens."""
    try:
        return site.get(path)[0]
    except (OSError, http.client.HTTPException):
        return 0
