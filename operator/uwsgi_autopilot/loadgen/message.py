"""What a phase sends: its request as bytes, with what the named files hold."""

from pathlib import Path

from uwsgi_autopilot.errors import UsageError
from uwsgi_autopilot.loadgen.http import request_bytes
from uwsgi_autopilot.loadgen.plan import LoadPhase, checked_header

MAX_BODY_BYTES = 16 * 1024 * 1024


def message(phase: LoadPhase, *, host: str) -> bytes:
    """The request. host: of the header, unless the phase gives one. Raises UsageError: a file, or a line in it."""
    return request_bytes(
        path=phase.path,
        host=host,
        close=phase.close,
        method=phase.method,
        headers=[header for text in phase.headers for header in _headers(text)],
        body=None if phase.body is None else _body(phase.body),
    )


def _headers(text: str) -> list[str]:
    if not text.startswith("@"):
        return [text]
    lines = _file("header", text).decode("utf-8", errors="replace").splitlines()
    try:
        return [checked_header(line) for line in lines if line.strip()]
    except ValueError as error:
        raise UsageError(f"--load header={text}: {error}") from None


def _body(text: str) -> bytes:
    return _file("body", text) if text.startswith("@") else text.encode()


def _file(field: str, text: str) -> bytes:
    try:
        with Path(text[1:]).open("rb") as file:
            data = file.read(MAX_BODY_BYTES + 1)
    except OSError as error:
        raise UsageError(f"--load {field}={text}: the file cannot be read: {error.strerror}") from None
    if len(data) > MAX_BODY_BYTES:
        raise UsageError(f"--load {field}={text}: expected at most {MAX_BODY_BYTES} bytes, found more")
    return data
