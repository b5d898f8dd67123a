"""Hide secrets in text that other programs wrote: tracebacks, the words of an API server, what an agent answers.

The text may be long and hostile, so the work grows with its length and no faster. That is how it is built, not luck,
here and in secretvalues.py: no pattern repeats what itself repeats; a pattern that begins with a repetition may begin
only where such a word begins; and what is scanned for the end of a secret is never scanned again.
"""

import re
from collections.abc import Iterator

from uwsgi_autopilot.report.secretvalues import FINDERS, Span

HIDDEN = "***"

# A private key in PEM, as OpenSSL, OpenSSH and PGP write it. Certificates are public.
_PEM = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\ \t\r\n"
_SHORTEST_BASE64 = 16

_SPACE_OR_AT = re.compile(r"[\s@]")
_USER = re.compile(r"[^\s:/?#@]*")
_PORT = re.compile(r":\d{1,5}[/'\",;)\]}]")
_AT_IN_HOST = re.compile(r"[^\s/?#@'\",;]{0,256}@")
# Of a name alone before the @: git@ and app@ are users, forty letters are a token.
_SHORTEST_TOKEN = 16

_BEARER = re.compile(
    r"(?i)(?<![\w-])bearer[ \t]+(?!(?:tokens?|auth\w*|scheme|realm|credentials?|is|was|and|or|header|error)\b)"
    r"(?P<secret>[\w.~+/=-]{2,})"
)
_BASIC = re.compile(r"(?i)(?<![\w-])basic[ \t]+(?P<secret>[A-Za-z0-9+/]{6,}={0,2})(?![\w.])")

# Secrets that can be told by their looks: JSON web tokens, keys of AWS, GitHub, GitLab, Slack, Stripe and Google.
_LOOKS = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:
        eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?
      | (?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])
      | (?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_(?:live|test)_)[\w-]{10,}
      | AIza[\w-]{35}
    )""",
    re.VERBOSE | re.ASCII,
)
_BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/_.-])[A-Za-z0-9+/]{40,}={0,2}(?![\w.-])", re.ASCII)


def masked(text: str) -> str:
    """`text` with secrets as ***: private keys, passwords in URLs, what stands behind names such as password, token,
    authorization or cookie, bearer and basic credentials, and keys that can be told by their looks.

    Applied again it changes nothing. For each secret the text grows by two characters at most.
    """
    for find in _PASSES:
        text = _without(text, find(text))
    return text


def _without(text: str, spans: Iterator[Span]) -> str:
    told, at = [], 0
    for start, end in spans:
        if start < end:
            told += [text[at:start], HIDDEN]
            at = end
    return "".join([*told, text[at:]])


def _private_keys(text: str) -> Iterator[Span]:
    """What stands between BEGIN and END; without an END all that follows, without a BEGIN what looks like it."""
    at, inside = 0, False
    for mark in _PEM.finditer(text):
        if inside:
            yield at, mark.start()
        elif mark[1] == "END":
            before = text[at : mark.start()]
            start = at + len(before.rstrip(_BASE64))
            if mark.start() - start >= _SHORTEST_BASE64:
                yield start, mark.start()
        at, inside = mark.end(), mark[1] == "BEGIN"
    if inside:
        yield at, len(text)


def _urls(text: str) -> Iterator[Span]:
    """The password of scheme://user:password@host; it may hold slashes and @, but no white space."""
    at, stop = 0, None
    while (at := text.find("://", at)) >= 0:
        at += 3
        if stop is None or stop.start() < at:
            stop = _SPACE_OR_AT.search(text, at)
        if stop is None:
            return
        user = _USER.match(text, at)
        assert user is not None
        end, colon = stop.start(), text[user.end() : user.end() + 1] == ":"
        if stop[0] != "@" or (user.end() < end and not colon) or _PORT.match(text, user.end()):
            continue
        if colon:
            # An @ in the password itself: the last one before the host counts.
            while (more := _AT_IN_HOST.match(text, end + 1)) is not None:
                end = more.end() - 1
            yield user.end() + 1, end
        elif end - at >= _SHORTEST_TOKEN:
            yield at, end
        at = end


def _credentials(text: str) -> Iterator[Span]:
    for found in _BEARER.finditer(text):
        yield found.span("secret")


def _basic_credentials(text: str) -> Iterator[Span]:
    """Base64, and not a word: it has a digit, or a capital inside."""
    for found in _BASIC.finditer(text):
        if not found["secret"][1:].isalpha() or not found["secret"][1:].islower():
            yield found.span("secret")


def _looks(text: str) -> Iterator[Span]:
    for found in _LOOKS.finditer(text):
        yield found.span()


def _base64(text: str) -> Iterator[Span]:
    """Long, with capitals, small letters and digits; a path of a file has more slashes, a digest no capitals."""
    for found in _BASE64_RUN.finditer(text):
        run = found[0]
        mixed = not (run.isupper() or run.islower()) and any(map(str.isdigit, run)) and any(map(str.isupper, run))
        if mixed and run.count("/") * 16 <= len(run):
            yield found.span()


# By looks first: what remains when a value is hidden must not look different to those that were asked before.
_PASSES = (
    _private_keys,
    _looks,
    _base64,
    _urls,
    _credentials,
    _basic_credentials,
    *FINDERS,
)
