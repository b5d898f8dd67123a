"""The kinds of rule in `api/rules.py`: each function makes one row, with its CEL and its predicate side by side.

Patterns use only what both RE2 (CEL) and Python's re know, and no single quote, which would end CEL's raw strings.
Expressions call has() even for fields that always have a default: the API server also evaluates them on a parent's
default of {} before it fills that in, and otherwise refuses the whole definition ("no such key", seen with
Kubernetes 1.34).
"""

import re
import string
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from uwsgi_autopilot.api import options
from uwsgi_autopilot.api.quantity import parse_duration, parse_quantity
from uwsgi_autopilot.api.rule import Rule


def _matches(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def looks_like(path: str, pattern: str, message: str) -> Rule:
    return Rule(path=path, cel=f"self.matches(r'^(?:{pattern})$')", holds=_matches(pattern), message=message)


def looks_not_like(path: str, pattern: str, message: str) -> Rule:
    matches = _matches(pattern)
    return Rule(
        path=path, cel=f"!self.matches(r'^(?:{pattern})$')", holds=lambda value: not matches(value), message=message
    )


def of_service(field: str, cel: str, fits: Callable[[str], bool], why: str) -> Rule:
    """A field that not every type of Service has. cel: the rest of an expression that begins with the type."""
    return Rule(
        path="spec.service",
        about=field,
        cel=f"!has(self.{field}) || self.type {cel}",
        holds=lambda value: field not in value or fits(value["type"]),
        message=f"a Service of type {{type}} has no {why}",
        reads=("type", field),
    )


def amount_of(value: Any) -> Decimal | None:
    try:
        return parse_quantity(value)
    except ValueError:
        return None


_MIB, _TOO_MUCH = Decimal(1024**2), Decimal(8 * 1024**6)
IS_QUANTITY = "isQuantity(string(self))"
QUANTITY = "quantity(string(self))"


def seconds_of(value: Any) -> int:
    """Seconds of a duration; 0 when it is not one."""
    try:
        return parse_duration(value)
    except ValueError:
        return 0


def is_quantity(path: str, example: str) -> Rule:
    def holds(value: Any) -> bool:
        amount = amount_of(value)
        return amount is not None and 0 <= amount < _TOO_MUCH

    return Rule(
        path=path,
        cel=f"{IS_QUANTITY} && {QUANTITY}.compareTo(quantity('0')) >= 0 && {QUANTITY}.compareTo(quantity('8Ei')) < 0",
        holds=holds,
        message=f"expected a quantity such as {example}, not negative and below 8Ei",
    )


def is_memory(path: str, zero: bool) -> Rule:
    """`512m` is a quantity, half a byte: the most common slip."""

    def holds(value: Any) -> bool:
        amount = amount_of(value)
        return amount is None or amount < 0 or amount >= _MIB or (zero and amount == 0)

    allowed = f"{QUANTITY}.compareTo(quantity('0')) {'<=' if zero else '<'} 0"
    return Rule(
        path=path,
        cel=f"!{IS_QUANTITY} || {allowed} || {QUANTITY}.compareTo(quantity('1Mi')) >= 0",
        holds=holds,
        message="{self} is less than 1Mi: in memory m means a thousandth of a byte, 512Mi are mebibytes",
    )


def request_within_limit(resource: str) -> Rule:
    asked, limit = f"self.requests.{resource}", f"self.limits.{resource}"

    def holds(value: Any) -> bool:
        request, most = amount_of(value["requests"].get(resource)), amount_of(value["limits"].get(resource))
        return request is None or most is None or request <= most

    return Rule(
        path="spec.resources",
        about=f"requests.{resource}",
        cel=f"!has(self.requests) || !has(self.limits) || !has({asked}) || !has({limit})"
        f" || !isQuantity(string({asked})) || !isQuantity(string({limit}))"
        f" || quantity(string({asked})).compareTo(quantity(string({limit}))) <= 0",
        holds=holds,
        message=f"{{requests.{resource}}} is above spec.resources.limits.{resource} ({{limits.{resource}}})",
        reads=(f"requests.{resource}", f"limits.{resource}"),
    )


def bounds_in_order(dimension: str) -> Rule:
    return Rule(
        path="spec.tuning",
        about=f"{dimension}.max",
        cel=f"!has(self.{dimension}) || !has(self.{dimension}.max) || self.{dimension}.min <= self.{dimension}.max",
        holds=lambda value: _in_order(value[dimension]),
        message=f"{{{dimension}.max}} is below spec.tuning.{dimension}.min ({{{dimension}.min}})",
        reads=(dimension,),
    )


def _in_order(bounds: Any) -> bool:
    return bool(bounds["min"] <= bounds.get("max", bounds["min"]))


def shape_inside(shape: str, dimension: str, bound: str) -> Rule:
    """bound: "min" or "max". Of bounds that contradict each other, that alone is said."""
    bounds, chosen = f"self.{dimension}", f"self.{shape}.{dimension}"
    low, high = (f"{bounds}.min", chosen) if bound == "min" else (chosen, f"{bounds}.max")
    beyond = "below" if bound == "min" else "above"

    def holds(value: Any) -> bool:
        if shape not in value or bound not in value[dimension] or not _in_order(value[dimension]):
            return True
        limit, found = value[dimension][bound], value[shape][dimension]
        return bool(found >= limit if bound == "min" else found <= limit)

    return Rule(
        path="spec.tuning",
        about=f"{shape}.{dimension}",
        cel=f"!has(self.{shape}) || !has({bounds}) || !has({bounds}.{bound})"
        f" || (has({bounds}.max) && {bounds}.min > {bounds}.max) || {low} <= {high}",
        holds=holds,
        message=f"{{{shape}.{dimension}}} is {beyond} spec.tuning.{dimension}.{bound} ({{{dimension}.{bound}}})",
        reads=(f"{shape}.{dimension}", dimension),
    )


def connections_allow(shape: str) -> Rule:
    """Whether maxConnections is enough for one pod of `shape`; connectionsPerProcess defaults to the threads."""
    each = f"(has(self.connectionsPerProcess) ? self.connectionsPerProcess : self.{shape}.threads)"

    def holds(value: Any) -> bool:
        if shape not in value or "maxConnections" not in value:
            return True
        wanted = value[shape]
        return int(wanted["processes"]) * int(value.get("connectionsPerProcess", wanted["threads"])) <= int(
            value["maxConnections"]
        )

    return Rule(
        path="spec.tuning",
        about="maxConnections",
        cel=f"!has(self.{shape}) || !has(self.maxConnections)"
        f" || self.{shape}.processes * {each} <= self.maxConnections",
        holds=holds,
        message=f"{{maxConnections}} does not allow one pod of spec.tuning.{shape} ({{{shape}.processes}} processes)",
        reads=(shape, "maxConnections", "connectionsPerProcess"),
    )


def exactly_one(path: str, *names: str) -> Rule:
    present = ", ".join(f"has(self.{name})" for name in names)
    return Rule(
        path=path,
        cel=f"[{present}].filter(each, each).size() == 1",
        holds=lambda value: sum(name in value for name in names) == 1,
        message=f"expected exactly one of {', '.join(names)}",
    )


def refused_options() -> list[Rule]:
    """One row for each reason in `api/options.py`, and one for what is not the name of an option."""
    rows = [
        looks_like(
            "spec.uwsgi.options[].name",
            "[A-Za-z0-9][A-Za-z0-9_.-]*",
            "expected the name of a uWSGI option: letters, digits and dashes, without leading dashes",
        )
    ]
    owned, families = options._REASONS, options._FAMILIES
    for reason in dict.fromkeys([*owned.values(), *(reason for _, reason in families)]):
        own = [family for family, its in families if its == reason]
        patterns = [re.escape(name) for name, its in owned.items() if its == reason] + own
        # A listed name has its own reason, even when it also falls into a family with another one.
        others = [
            name for name, its in owned.items() if its != reason and any(re.fullmatch(each, name) for each in own)
        ]
        rows.append(_refused(reason, patterns, others))
    # Single letters that are not listed have a reason of their own.
    letters = [letter for letter in string.ascii_letters + string.digits if letter not in owned]
    if refusal := options.refusal_of(letters[0]):
        rows.append(_refused(refusal.removeprefix(f"{letters[0]} cannot be set: "), letters, []))
    return rows


def _refused(reason: str, patterns: list[str], others: list[str]) -> Rule:
    matches = _matches("|".join(patterns))
    except_for = f" || self in [{', '.join(repr(name) for name in others)}]" if others else ""
    return Rule(
        path="spec.uwsgi.options[].name",
        cel=f"!self.matches(r'^(?:{'|'.join(patterns)})$'){except_for}",
        holds=lambda name: not matches(name) or name in others,
        message=f"{{self}} cannot be set: {reason}",
    )
