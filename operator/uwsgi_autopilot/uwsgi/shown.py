"""A uWSGI configuration as uWSGI itself resolved it, read from what its function `show_config` prints: pure."""

from dataclasses import dataclass

Options = tuple[tuple[str, str], ...]
"""(name, value) in uWSGI's order, repeats included; a flag has the value "true"."""

# What uWSGI writes in place of the date before each line of its log, where it is told to.
DATE = "uwsgi-autopilot"
_BEFORE = f"{DATE} - "
_BEGIN, _SECTION, _END = ";uWSGI instance configuration", "[uwsgi]", ";end of configuration"
# uWSGI says this for each file it reads. More often than any real configuration includes one file: a circle.
_READING = " configuration from "
MOST_READINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """options None: uWSGI did not come that far, and `said` is why. said: what else it printed, line by line."""

    options: Options | None
    said: tuple[str, ...]


def parse_shown(text: str) -> Shown:
    """`text`: all that uWSGI printed, other lines before and after included.

    A value that holds a line break would read as another line; configuration files cannot make one.
    """
    said: list[str] = []
    options: list[tuple[str, str]] | None = None
    inside = False
    for each in text.splitlines():
        line = each.removeprefix(_BEFORE)
        if line == _BEGIN:
            inside, options = True, []
        elif line == _END:
            inside = False
        elif not inside:
            said += [line] if line else []
        elif line != _SECTION and options is not None:
            name, _, value = line.partition(" = ")
            options.append((name, value))
    return Shown(options=None if options is None or inside else tuple(options), said=tuple(said))


def circle(text: str) -> str | None:
    """The file that is read again and again; None: no file is."""
    counts: dict[str, int] = {}
    for line in text.splitlines():
        _, found, name = line.partition(_READING)
        if found and line.startswith("[uWSGI] getting"):
            counts[name] = counts.get(name, 0) + 1
            if counts[name] > MOST_READINGS:
                return name
    return None
