"""How a manifest's value appears in a sentence: short, on one line, harmless on a terminal."""

from typing import Any

# So that a sentence stays readable and the API server's message short.
LONGEST = 60


def found(value: Any) -> str:
    """`"many"`, `8`, `false`, `a list of 3`, `a mapping`, `nothing`."""
    if isinstance(value, str):
        return f'"{plain(value)}"'
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    return plain(value)


def kind_of(value: Any) -> str:
    """The kind of a value, without the value: for those that may be secret."""
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    return "a text" if isinstance(value, str) else found(value)


def plain(value: Any) -> str:
    """The value itself, without quotes, cut and without control characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    text = str(value)
    if len(text) > LONGEST:
        text = text[: LONGEST - 3] + "..."
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def any_of(names: list[str]) -> str:
    """`Auto, Recommend or Disabled`."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "nothing"


def written(path: tuple[str | int, ...]) -> str:
    """`spec.env[2].name`; a key that is not a plain name stands in brackets, as with kubectl."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.replace("_", "").replace("-", "").isalnum() and key.isascii():
            text += f".{key}" if text else key
        else:
            text += f"[{plain(key)}]"
    return text
