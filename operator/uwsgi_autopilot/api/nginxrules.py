"""The rules below `spec.nginx`, rows of `api/rules.py`: what nginx could not read, or would read as something else.

Whatever is accepted here becomes a line of nginx.conf: nothing may end that line, begin a variable, or be a second
location of the same path, which nginx does not start with.
"""

import re
from decimal import Decimal
from typing import Any

from uwsgi_autopilot.api import snippet
from uwsgi_autopilot.api.checks import QUANTITY, amount_of, is_quantity, looks_like, looks_not_like, seconds_of
from uwsgi_autopilot.api.rule import Rule, Unique

# Our own nginx locations.
RESERVED = "/_autopilot"
LEAST_HEADER, MOST_HEADER = Decimal(1024), Decimal(20 * 1024)


def with_slash(path: str) -> str:
    return f"{path}/".replace("//", "/")


def _same(one: str, other: str) -> str:
    """`with_slash(one) == with_slash(other)` in CEL."""
    return f"({one} + '/').replace('//', '/') == ({other} + '/').replace('//', '/')"


def _url_path(path: str) -> list[Rule]:
    return [
        looks_like(
            path,
            "(?:/[A-Za-z0-9._~-]+)+/?",
            "expected a path such as /static that begins with / and is not / alone",
        ),
        looks_not_like(path, r"(?s:.*)/[.]{1,2}(?:/(?s:.*))?", "expected a path without . and .. in it"),
        looks_not_like(
            path,
            f"{RESERVED}(?:/(?s:.*))?",
            f"expected a path outside of {RESERVED}/, where the autopilot's own pages are",
        ),
    ]


def _directory(path: str) -> Rule:
    return looks_like(
        path,
        r"[^\x00-\x1f\x7f\x22\x27$;{}\\]+",
        "expected a directory such as /app/static, without quotes, $, ;, braces and backslashes",
    )


def _unique_paths(name: str) -> Unique:
    return Unique(
        path=f"spec.nginx.{name}",
        cel=f"self.all(a, self.exists_one(b, {_same('a.path', 'b.path')}))",
        key="path",
        normal=with_slash,
    )


def _apart(name: str, other: str) -> Rule:
    """No path is in both lists."""

    def paths(entries: list[Any]) -> set[str]:
        return {with_slash(each["path"] if isinstance(each, dict) else each) for each in entries}

    one, two = (letter if each == "streaming" else f"{letter}.path" for letter, each in (("a", name), ("b", other)))
    return Rule(
        path="spec.nginx",
        about=name,
        cel=f"!has(self.{name}) || !has(self.{other})"
        f" || self.{name}.all(a, !self.{other}.exists(b, {_same(one, two)}))",
        holds=lambda value: not paths(value[name]) & paths(value[other]),
        message=f"one of its paths is in spec.nginx.{other} too: take another path for one of them",
        reads=(name, other),
    )


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:[.]{_OCTET}){{3}}(?:/(?:3[0-2]|[12]?[0-9]))?"
_HEX = "[0-9A-Fa-f]{1,4}"
_GROUPS = "|".join(
    [
        f"(?:{_HEX}:){{7}}{_HEX}",
        # `::` stands for one group or more: so many before it, at most so many after it.
        *(
            f"(?:{_HEX}:){{{before}}}(?::{_HEX}){{1,{7 - before}}}" if before else f":(?::{_HEX}){{1,7}}"
            for before in range(7)
        ),
        f"(?:{_HEX}:){{1,7}}:",
        "::",
    ]
)
_IPV6 = rf"(?:{_GROUPS})(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"


def _header_size(value: Any) -> bool:
    amount = amount_of(value)
    return amount is None or amount < 0 or LEAST_HEADER <= amount <= MOST_HEADER


def _refused(names: str, why: str) -> Rule:
    return looks_not_like("spec.nginx.snippet", snippet.begins_with(names), f"{_in_words(names)} cannot be set: {why}")


def _in_words(names: str) -> str:
    plain = re.sub(r"\[a-z\][+]\(\?:_\[a-z\][+]\)\?|\[a-z_\][*]", "*", names)
    return ", ".join(plain.split("|"))


NGINX_RULES: tuple[Rule | Unique, ...] = (
    is_quantity("spec.nginx.bodySize", "10Mi"),
    is_quantity("spec.nginx.headerSize", "8Ki"),
    Rule(
        path="spec.nginx.headerSize",
        cel=f"!isQuantity(string(self)) || {QUANTITY}.compareTo(quantity('0')) < 0"
        f" || ({QUANTITY}.compareTo(quantity('1Ki')) >= 0 && {QUANTITY}.compareTo(quantity('20Ki')) <= 0)",
        holds=_header_size,
        message="{self} is not from 1Ki to 20Ki: uWSGI takes 64 KiB of headers in all, the request line counted twice",
    ),
    Rule(
        path="spec.nginx.readTimeout",
        cel="self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && self != ''"
        " && duration(self) >= duration('1s') && duration(self) <= duration('1h')",
        holds=lambda value: 1 <= seconds_of(value) <= 3600,
        message="expected a duration such as 60s or 1m30s, from 1s to 1h",
    ),
    looks_like(
        "spec.nginx.headers[].name",
        "[A-Za-z0-9-]+",
        "expected the name of a header such as Referrer-Policy: letters, digits and dashes",
    ),
    looks_not_like(
        "spec.nginx.headers[].name",
        "(?i:connection|content-length|date|keep-alive|server|trailer|transfer-encoding|upgrade)",
        "nginx writes this header itself: leave it out",
    ),
    looks_like(
        "spec.nginx.headers[].value",
        r"[^\x00-\x1f\x7f$]+",
        "expected one line without $, which would begin a variable of nginx (spec.nginx.snippet may have those)",
    ),
    *_url_path("spec.nginx.streaming[]"),
    _unique_paths("static"),
    *_url_path("spec.nginx.static[].path"),
    _directory("spec.nginx.static[].dir"),
    _unique_paths("internal"),
    *_url_path("spec.nginx.internal[].path"),
    _directory("spec.nginx.internal[].dir"),
    _apart("internal", "static"),
    _apart("streaming", "static"),
    _apart("streaming", "internal"),
    looks_like(
        "spec.nginx.realIp.from[]",
        f"{_IPV4}|{_IPV6}",
        "expected an address or a network such as 10.0.0.0/8",
    ),
    looks_like(
        "spec.nginx.realIp.header",
        "[A-Za-z0-9-]+",
        "expected the name of a header such as X-Forwarded-For: letters, digits and dashes",
    ),
    looks_like(
        "spec.nginx.snippet",
        snippet.WELL_FORMED,
        "expected directives that end with ; and blocks that end with }, at most three deep"
        " (a regular expression, and a text with braces or quotes, goes into quotation marks)",
    ),
    *(_refused(names, why) for names, why in snippet.REFUSED),
    looks_not_like(
        "spec.nginx.snippet",
        snippet.ALL_REQUESTS,
        "location / cannot be set: the application answers there; take a longer path",
    ),
)
