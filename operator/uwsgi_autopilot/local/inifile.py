"""Put a shape into a person's ini file: two lines, everything else as it was, with a backup beside it."""

import os
import re
import shutil
from pathlib import Path

from uwsgi_autopilot.api.shape import Shape

_SECTION = re.compile(r"\s*\[(.+)\]\s*")
_LINE = re.compile(r"(?P<head>\s*(?P<name>processes|workers|p|threads)\s*=\s*)(?P<value>[^;#\s]*)(?P<rest>.*)")


def with_shape(text: str, shape: Shape) -> str:
    """`text` with `processes` and `threads` in its section [uwsgi]: the last line of each is changed, because uWSGI
    uses the last; where there is none, it follows the section's head. Pure. Raises ValueError without such a section.
    """
    lines = text.splitlines(keepends=True)
    start, end = _uwsgi_section(lines)
    at: dict[str, int] = {}
    for number in range(start + 1, end):
        if found := _LINE.match(lines[number]):
            at["threads" if found["name"] == "threads" else "processes"] = number
    missing: list[str] = []
    for name, value in (("processes", shape.processes), ("threads", shape.threads)):
        if name not in at:
            missing.append(f"{name} = {value}\n")
            continue
        line = lines[at[name]]
        found = _LINE.match(line)
        assert found is not None
        ending = "\n" if line.endswith("\n") else ""
        lines[at[name]] = f"{found['head']}{value}{found['rest'].rstrip()}{ending}"
    if not lines[start].endswith("\n"):
        lines[start] += "\n"
    lines[start + 1 : start + 1] = missing
    return "".join(lines)


def write_shape(path: Path, shape: Shape) -> str:
    """What was done, or why it was not, as one sentence. The file is replaced whole or not at all."""
    try:
        text = path.read_text(encoding="utf-8")
        new = with_shape(text, shape)
        if new == text:
            return f"{path} has {shape.in_words()} already"
        backup = path.with_name(path.name + ".bak")
        shutil.copy2(path, backup)
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(new, encoding="utf-8")
        shutil.copystat(path, fresh)
        if os.geteuid() == 0:
            status = path.stat()
            os.chown(fresh, status.st_uid, status.st_gid)
        fresh.rename(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return (
            f"{path} was not changed: {reason}. The two lines would be: processes = {shape.processes}, "
            f"threads = {shape.threads}"
        )
    return f"{path} has {shape.in_words()} now; before: {backup}"


def _uwsgi_section(lines: list[str]) -> tuple[int, int]:
    start: int | None = None
    for number, line in enumerate(lines):
        section = _SECTION.fullmatch(line)
        if section is None:
            continue
        if start is not None:
            return start, number
        if section[1].strip() == "uwsgi":
            start = number
    if start is None:
        raise ValueError("it has no section [uwsgi]")
    return start, len(lines)
