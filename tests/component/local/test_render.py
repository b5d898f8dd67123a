"""What `render` prints for a configuration that uWSGI itself has resolved; systemd is in tests/e2e."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from uwsgi_autopilot.cli import main

pytestmark = pytest.mark.component

INI = """\
[uwsgi]
module = web:app
socket = /run/shop/%n.sock
chmod-socket = 664
logto = /var/log/shop/%n.log
"""


def rendered(folder: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, str]:
    """Each file by its path."""
    assert main(["render", *flags, str(folder / "app.ini")]) == 0
    printed = capsys.readouterr().out
    return dict(re.findall(r"^# --- (/\S+)\n(.*?)\n(?=# --- )", printed, re.MULTILINE | re.DOTALL))


def test_each_part_alone_and_both_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.ini").write_text(INI)
    nginx = rendered(tmp_path, capsys, "--nginx", "--name", "shop")
    systemd = rendered(tmp_path, capsys, "--systemd", "--name", "shop")
    assert list(nginx) == ["/etc/nginx/sites-available/shop"]
    assert sorted(systemd) == [
        "/etc/logrotate.d/shop",
        "/etc/systemd/system/shop.service",
        "/etc/tmpfiles.d/shop.conf",
    ]
    assert rendered(tmp_path, capsys, "--nginx", "--systemd", "--name", "shop") == nginx | systemd
    assert rendered(tmp_path, capsys, "--name", "shop") == nginx | systemd
    unit = systemd["/etc/systemd/system/shop.service"]
    for line in ("Type=notify", "WatchdogSec=30", f"ExecStart={Path(sys.executable).parent}/uwsgi-autopilot serve "):
        assert line in unit
    assert re.search(r"^RestrictAddressFamilies=.*\bAF_NETLINK$", unit, re.MULTILINE)
    assert "/var/log/shop/app.log" in systemd["/etc/logrotate.d/shop"]


def test_nginx_takes_the_server_block(tmp_path: Path, capsys: pytest.CaptureFixture[str], nginx_program: str) -> None:
    (tmp_path / "app.ini").write_text(INI)
    (block,) = rendered(tmp_path, capsys, "--nginx").values()
    assert "uwsgi_pass unix:/run/shop/app.sock;" in block
    (tmp_path / "uwsgi_params").write_text("uwsgi_param QUERY_STRING $query_string;\n")
    temporary = "".join(
        f"{kind}_temp_path {tmp_path};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user} pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {temporary}\n{block}}}\n"
    )
    done = subprocess.run([nginx_program, "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
