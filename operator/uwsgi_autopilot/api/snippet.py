"""What a piece of nginx configuration may be that stands in the middle of ours: patterns, for RE2 and for Python.

Directives that end, blocks that are closed, nothing that ends our own block or replaces what the autopilot lives from.
Whether nginx knows the directives only nginx can say: local mode asks it (`local/nginxcheck.py`).

A little less than nginx reads, so that both read the same: the name of a directive is plain, and outside of quotation
marks no quote and no brace stands in a word, except in ${name}. No single quote may stand here, which would end CEL's
raw strings. At each letter there is one way to go on, so that Python, which tries all of them, takes no longer.
"""

# Of blocks: a location, an `if` or a location in it, and one more.
DEPTH = 3

_BLANK = r"[ \t\r\n]"
_COMMENT = r"#[^\n]*\n"
_ANY_GAP = rf"(?:{_BLANK}|{_COMMENT})*"
# `word#` is a word: a comment begins after a blank.
_GAP = rf"{_BLANK}{_ANY_GAP}"
_QUOTED = r"\x22(?:[^\x22\\]|\\(?s:.))*\x22|\x27(?:[^\x27\\]|\\(?s:.))*\x27"
_ESCAPED = r"\\(?s:.)"
# nginx takes a brace after a dollar sign for a part of the word, whatever follows.
_VARIABLE = r"\$(?:[A-Za-z0-9_]|\{[A-Za-z0-9_]*\})"
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_WORD = (
    rf"(?:[^ \t\r\n;{{}}\\$\x22\x27#{_CONTROL}]|{_ESCAPED}|{_VARIABLE})"
    rf"(?:[^ \t\r\n;{{}}\\$\x22\x27{_CONTROL}]|{_ESCAPED}|{_VARIABLE})*"
)
_HEAD = rf"[a-z][a-z0-9_]*(?:{_GAP}(?:{_WORD}|(?:{_QUOTED})[)]?))*(?:{_GAP})?"


def _directive(depth: int) -> str:
    if depth == 0:
        return f"{_HEAD};"
    return rf"{_HEAD}(?:;|\{{(?:{_ANY_GAP}{_directive(depth - 1)})*{_ANY_GAP}\}})"


WELL_FORMED = rf"(?:{_ANY_GAP}{_directive(DEPTH)})*{_ANY_GAP}(?:#[^\n]*)?"

# (names of directives, why they are refused and what to do instead)
REFUSED = (
    ("access_log|error_log", "the agent reads nginx's log: set spec.nginx.accessLog for one of your own"),
    (
        "listen|server|upstream|include|uwsgi_pass|uwsgi_next_upstream[a-z_]*|[a-z]+(?:_[a-z]+)?_temp_path",
        "where nginx listens and writes, and how it reaches uWSGI, is the autopilot's own: leave it out",
    ),
    (
        "client_max_body_size|client_header_buffer_size|large_client_header_buffers|uwsgi_read_timeout"
        "|uwsgi_send_timeout",
        "it has a field of its own: set spec.nginx.bodySize, headerSize or readTimeout",
    ),
)


def begins_with(names: str) -> str:
    """The pattern of a snippet in which one of the directives `names` begins. In a comment too, after a semicolon."""
    return rf"(?:(?s:.*)[;{{}}\n])?[ \t\r]*(?:{names})(?:[ \t\r\n;{{](?s:.*))?"


# A second one would not start; the application answers there.
ALL_REQUESTS = rf"(?:(?s:.*)[;{{}}\n])?[ \t\r]*location{_BLANK}+\x22?/\x22?{_BLANK}*\{{(?s:.*)"
