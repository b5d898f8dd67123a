"""Read the two texts with units of a manifest: Kubernetes quantities ("500m", "1Gi") and durations ("1m30s")."""

import re
from decimal import Decimal
from typing import Any

# Kubernetes' grammar. It takes exponents of any length and caps the value; two digits keep an absurd one
# ("1e999999999") from becoming a number of a gigabyte.
_QUANTITY = re.compile(
    r"([+-]?)([0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2}|[numkMGTPE]|[KMGTPE]i|)"
)
_SUFFIX = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)}
_SUFFIX |= {letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)}
_SUFFIX |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}

_DURATION = re.compile(r"(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,5})s)?")

_SUPPORTED = "expected a quantity such as 500m, 2 or 1Gi"


def parse_quantity(value: Any) -> Decimal:
    """Return the number that a quantity stands for: "500m" is 0.5, "1Gi" is 1073741824.

    `value` is a text or a whole number; a YAML float is refused, because the API server refuses it too (the field's
    type is int-or-string).

    Raises ValueError with one sentence.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{_SUPPORTED}, found {value!r}")
    sign, digits, suffix = found.groups()
    factor = (
        Decimal(f"1{suffix}") if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix != "Ei" else _SUFFIX[suffix]
    )
    return Decimal(f"{sign}{digits}") * factor


def cores(value: Any) -> float:
    """CPU in cores. Raises ValueError."""
    return float(parse_quantity(value))


def whole_bytes(value: Any) -> int:
    """Bytes, rounded up as Kubernetes does. Raises ValueError."""
    number = parse_quantity(value)
    whole = int(number)
    return whole if whole >= number else whole + 1


def parse_duration(text: Any) -> int:
    """Seconds of "60s", "1m30s" or "1h". Units only from large to small, whole numbers only. Raises ValueError."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if not found:
        raise ValueError(f"expected a duration such as 60s or 1m30s, found {text!r}")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
