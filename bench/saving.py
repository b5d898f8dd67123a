"""Write what was measured: all or nothing, so that an interrupted run leaves no half of a file."""

from pathlib import Path

from uwsgi_autopilot.errors import UsageError


def save(file: Path, text: str, flag: str) -> None:
    """flag: the one that named the place. Raises UsageError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise UsageError(f"{flag}: {file} cannot be written: {error.strerror}") from None
