"""Find the values that stand behind the name of a secret: password=x, "api_key": "x", Authorization: Bearer x,
--token x; in sentences, JSON, command lines, headers and lines of Python, closed or cut.

Names are whole words, so that the path, the type or the fault of a secret stays readable: `passwordFile`,
`InvalidTokenError`. Where the end of a value is a matter of opinion, more is hidden rather than less.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache

Span = tuple[int, int]

# A name and what stands between it and its value. The lookahead with its echo takes the name whole or not at all.
_NAME = r"(?<![\w.-])(?=(?P<name>[\w.-]+))(?P=name)"
_ASSIGNED = re.compile(
    _NAME + r"""\\{0,4}["']?\]?(?P<sep>[ \t]*(?:!=|:=|={1,3}>?)[ \t]*|:(?!:|//)[ \t]*|[ \t]+:[ \t]*(?=\\{0,4}["']))"""
)
# --password hunter2, and the same in a list of arguments.
_FLAG = re.compile(r"""(?<![\w.-])(?=(?P<name>--[\w.-]+))(?P=name)(?P<sep>[ \t]+(?=[^\s-])|["'],[ \t]*(?=["']))""")
# ("Authorization", "Bearer ..."): a header, or a name with its default.
_PAIR = re.compile(r"""(?<=\(["'])(?=(?P<name>[\w.-]+))(?P=name)["'](?P<sep>,[ \t]*(?=[bBuU]?["']))""")

# In a name's letters, lower case, without what joins words: DB_PASSWORD, X-Api-Key, clientSecret.
_SECRET_NAME = re.compile(
    r"passw(?:or)?d|passphrase|passcode|secret|apikey|accesskey|privatekey|signingkey|encryptionkey|credential|"
    r"authorization|token(?![is])|amzsignature|(?:pwd|cookies?|dsn|sessionid)\Z"
)
# Words that often mean something else: only where something is clearly given to them.
_PERHAPS_SECRET_NAME = re.compile(r"(?:\A|[_-])(?:auth|pass)\Z", re.IGNORECASE)
# The name of a secret, its place or its fault, and not the secret.
_ABOUT_A_SECRET = re.compile(r"(?:error|exception|warning|ref|name|path|file|type|count|length|url|uri)\Z")
_SAYS_NOTHING = frozenset({"None", "null", "nil", "true", "false", "True", "False", "undefined"})

_QUOTE = re.compile(r"""(?:[bBuUrRfF]{1,2}(?=["']))?(?P<quote>\\{0,4}(?:\"{3}|'{3}|["']))""")
_IN_GROUP = re.compile(r"""\\.|["'\n\[\](){}]""", re.DOTALL)
# What may also be part of a password ends it only where a text or the next pair would go on.
_END = re.compile(r"""\s|[,;&)\]}>'"|](?=[\s,;&)\]}>'"|.:]|\Z|[\w.-]+["']?[ \t]*[:=])""")
_END_OF_COOKIES = re.compile(r"""['"\n]|(?<![; \t])[ \t]""")
_END_OF_LINE = re.compile(r"\n")
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|negotiate|apikey|(?P<list>digest|aws4-hmac-sha256))[ \t]+")
# Of Python, between the name and its value.
_ANNOTATION = re.compile(r"(?:str|bytes|Any|Optional|Union|Final|SecretStr)\b[^=,()\n'\"]{0,80}=(?!=)[ \t]*")
# One value for several names: password = token = ...
_ASSIGNED_TOO = re.compile(r"[ \t]*=(?!=)[ \t]*")


def _values(pattern: re.Pattern[str]) -> Callable[[str], Iterator[Span]]:
    def find(text: str) -> Iterator[Span]:
        at = 0
        while (found := pattern.search(text, at)) is not None:
            at = found.end()
            if not _is_secret(found, text):
                continue
            while True:
                start, end = _value(text, at, found["name"])
                yield start, end
                at = max(at, end)
                again = _ASSIGNED_TOO.match(text, at)
                if again is None:
                    break
                at = again.end()

    return find


def _is_secret(found: re.Match[str], text: str) -> bool:
    # db.password.value, and in a path through a manifest the last word alone.
    name = found["name"].rstrip(".-").removesuffix(".value").rpartition(".")[2]
    letters = "".join(filter(str.isalpha, name)).lower()
    after_colon = found["sep"].strip() == ":"
    quoted = text[found.end() : found.end() + 1] in {'"', "'", "(", "["}
    # /run/secrets/token: No such file or directory
    if _ABOUT_A_SECRET.search(letters) or (after_colon and text[found.start() - 1 : found.start()] == "/"):
        return False
    ends = [each.end() for each in _SECRET_NAME.finditer(letters)]
    if after_colon and not quoted and "-" in name:
        # X-Api-Key: ..., and not: pod token-service-7f6-abcde: ...
        return len(letters.rstrip("s")) in ends or len(letters) in ends
    return bool(ends) or ((quoted or not after_colon) and _PERHAPS_SECRET_NAME.search(name) is not None)


def _value(text: str, at: int, name: str) -> Span:
    """Where the value that begins at `at` is; an empty span when there is none, or one that gives nothing away."""
    if annotation := _ANNOTATION.match(text, at):
        at = annotation.end()
    if quote := _QUOTE.match(text, at):
        return quote.end(), _end_of_quoted(text, quote.end(), quote["quote"])
    if text[at : at + 1] in {"(", "[", "{"}:
        return at + 1, _end_of_group(text, at + 1)
    ends, lower = _END, name.lower()
    if "cookie" in lower:
        ends = _END_OF_COOKIES
    elif "authorization" in lower and (scheme := _SCHEME.match(text, at)):
        at, ends = scheme.end(), _END_OF_LINE if scheme["list"] else _END
    found = ends.search(text, at)
    end = len(text) if found is None else found.start()
    return (at, at) if text[at:end] in _SAYS_NOTHING else (at, end)


def _end_of_quoted(text: str, at: int, quote: str) -> int:
    """Before the closing quote; in a line that was cut, the end of the line."""
    for found in _ends_of_quoted(quote).finditer(text, at):
        if not found["escaped"]:
            return found.start()
    return len(text)


@cache
def _ends_of_quoted(quote: str) -> re.Pattern[str]:
    """`quote`: with the backslashes before it, of which there are at most four."""
    if quote.startswith("\\"):
        return re.compile(rf"(?P<escaped>(?!))|\\{{0,4}}{quote[-1]}|\n")
    # Three of them hold several lines.
    return re.compile(rf"(?P<escaped>\\.)|{quote}" + ("" if len(quote) == 3 else r"|\n"), re.DOTALL)


def _end_of_group(text: str, at: int) -> int:
    """Before the bracket that closes the group, or at the end of the line."""
    depth = 1
    while (found := _IN_GROUP.search(text, at)) is not None:
        at = found.end()
        if found[0] == "\n":
            return found.start()
        if found[0] in "([{":
            depth += 1
        elif found[0] in ")]}":
            depth -= 1
            if depth == 0:
                return found.start()
        elif found[0] in "\"'":
            end = _end_of_quoted(text, at, found[0])
            at = end + (text[end : end + 1] == found[0])
    return len(text)


FINDERS = tuple(map(_values, (_PAIR, _FLAG, _ASSIGNED)))
