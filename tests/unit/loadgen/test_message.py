"""Headers and bodies that lie in files."""

from pathlib import Path

import pytest

from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.loadgen.message import message
from uwsgi_autopilot.loadgen.plan import LoadPhase


def test_files_hold_headers_and_the_body(tmp_path: Path) -> None:
    (tmp_path / "session").write_text("Cookie: session=abc\n\nX-Token: 1, 2\n")
    (tmp_path / "body").write_bytes(b"\x00,\n")
    phase = LoadPhase(
        clients=1, method="POST", headers=("Accept: */*", f"@{tmp_path}/session"), body=f"@{tmp_path}/body"
    )
    sent = message(phase, host="shop")
    assert b"\r\nCookie: session=abc\r\nX-Token: 1, 2\r\n" in sent
    assert sent.endswith(b"\r\n\r\n\x00,\n")


@pytest.mark.parametrize(
    ("differs", "says"),
    [
        pytest.param(
            {"body": "@/nowhere"}, "--load body=@/nowhere: the file cannot be read: No such file", id="no file"
        ),
        pytest.param({"headers": ("@FILE",)}, "expected Name: value, found 'no header'", id="a line that is no header"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, differs: dict, says: str) -> None:
    (tmp_path / "file").write_text("no header\n")
    differs = {name: tuple(each.replace("FILE", f"{tmp_path}/file") for each in value) if name == "headers" else value
               for name, value in differs.items()}  # fmt: skip
    with pytest.raises(UsageError, match="--load") as caught:
        message(LoadPhase(clients=1, method="POST", **differs), host="shop")
    assert says in str(caught.value)
