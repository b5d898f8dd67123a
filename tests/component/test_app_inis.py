"""app/http.ini and app/app.ini on the real programs: what they serve, and what they leave behind."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from uwsgi_autopilot.local.rundir import make_run_directory

pytestmark = pytest.mark.component

APP = Path(__file__).resolve().parents[2] / "app"


@pytest.fixture
def folder():
    """A copy of app/ whose path is short enough for unix sockets."""
    run = make_run_directory()
    copy = run / "app"
    shutil.copytree(APP, copy, ignore=shutil.ignore_patterns("__pycache__"))
    yield copy
    shutil.rmtree(run)


def get(port: int, path: str) -> tuple[int, str]:
    """Status and text; status 0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def check_routes(port: int) -> None:
    assert get(port, "/healthz") == (200, "ok\n")
    assert get(port, "/cpu?ms=2") == (200, "computed 2 ms\n")
    assert get(port, "/io?ms=20") == (200, "waited 20 ms\n")
    assert get(port, "/mixed?wait=2&cpu=2") == (200, "waited 2 ms, computed 2 ms\n")
    assert get(port, "/cpu?ms=much") == (400, "ms: expected milliseconds from 0 to 10000, found 'much'\n")
    assert get(port, "/nothing")[0] == 404
    status, page = get(port, "/")
    assert status == 200
    assert "<td>uWSGI 2.0." in page
    for name, value in (("processes", "2"), ("threads per process", "4")):
        assert f'<th scope="row">{name}</th><td>{value}</td>' in page


def test_http_ini_serves_http_and_ends_on_sigterm(uwsgi_program, folder, free_port, starting, until) -> None:
    port = free_port()
    ini = (folder / "http.ini").read_text()
    assert "\nhttp = :8080\n" in ini  # what the README says
    (folder / "http.ini").write_text(ini.replace("\nhttp = :8080\n", f"\nhttp = 127.0.0.1:{port}\n"))
    with (folder / "log").open("w") as log:
        server = starting(
            [str(uwsgi_program.path), "http.ini"], cwd=folder, env=uwsgi_program.env, stdout=log, stderr=log
        )
    until(lambda: get(port, "/healthz")[0] == 200, "http.ini serves")
    check_routes(port)
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0
    assert get(port, "/healthz")[0] == 0


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log stderr; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            include {folder}/uwsgi_params;
            uwsgi_pass unix:{folder}/app.sock;
        }}
    }}
}}
"""
# The file that nginx installs beside its configuration, shortened to what WSGI needs (PEP 3333).
UWSGI_PARAMS = """
uwsgi_param QUERY_STRING $query_string; uwsgi_param REQUEST_METHOD $request_method;
uwsgi_param CONTENT_TYPE $content_type; uwsgi_param CONTENT_LENGTH $content_length;
uwsgi_param REQUEST_URI $request_uri; uwsgi_param PATH_INFO $document_uri;
uwsgi_param SERVER_PROTOCOL $server_protocol; uwsgi_param SERVER_NAME $server_name;
uwsgi_param SERVER_PORT $server_port;
"""


def stats(path: Path) -> dict:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        return json.loads(b"".join(iter(lambda: client.recv(65536), b"")).decode("latin-1"), strict=False)


def test_app_ini_serves_nginx_over_a_unix_socket(
    uwsgi_program, nginx_program, folder, free_port, starting, until
) -> None:
    port = free_port()
    (folder / "uwsgi_params").write_text(UWSGI_PARAMS)
    user = "user root;" if folder.owner() == "root" else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, user=user))
    server = starting([str(uwsgi_program.path), "app.ini"], cwd=folder, env=uwsgi_program.env)
    starting([nginx_program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"], cwd=folder)
    until(lambda: get(port, "/healthz")[0] == 200, "app.ini serves behind nginx")
    check_routes(port)
    assert (folder / "app.sock").stat().st_mode & 0o777 == 0o660

    def finished() -> int:
        """A request is counted after its answer was sent."""
        return sum(worker["requests"] for worker in stats(folder / "stats.sock")["workers"])

    until(lambda: finished() >= 7, "the requests are counted")
    seen = stats(folder / "stats.sock")
    assert [len(worker["cores"]) for worker in seen["workers"]] == [4, 4]
    assert max(worker["rss"] for worker in seen["workers"]) > 0  # memory-report
    until(lambda: "/cpu?ms=much" in (folder / "app.log").read_text(), "log-4xx")
    assert "/cpu?ms=2" not in (folder / "app.log").read_text()  # disable-logging: it was answered before

    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0
    assert not (folder / "app.sock").exists()
    assert not (folder / "stats.sock").exists()


@pytest.mark.parametrize("name", ["http.ini", "app.ini"])
def test_a_mistyped_option_or_a_failing_import_stops_the_start(uwsgi_program, folder, name: str) -> None:
    def run(text: str) -> subprocess.CompletedProcess[str]:
        (folder / name).write_text(text.replace("logto = app.log", "").replace(":8080", "127.0.0.1:0"))
        command = [str(uwsgi_program.path), name]
        return subprocess.run(
            command, cwd=folder, env=uwsgi_program.env, stdout=PIPE, stderr=STDOUT, text=True, timeout=60
        )

    ini = (folder / name).read_text()
    mistyped = run(ini + "\ntreads = 4\n")
    assert mistyped.returncode == 1
    assert "unknown config directive: treads" in mistyped.stdout
    (folder / "wsgi.py").write_text("import not_there\n")
    broken = run(ini)
    assert broken.returncode != 0
    assert "No module named 'not_there'" in broken.stdout
