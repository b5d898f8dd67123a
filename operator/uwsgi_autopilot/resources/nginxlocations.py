"""The locations of nginx.conf: which requests go to the application, which are answered with files, how each drains.

While we stop, a request is answered by a twin of its location that closes the connection, so that clients' pools empty
before we go. A status that nobody else uses leads there: 418 from the application's location, 419 from a streaming
one, 420 from files.
"""

from collections.abc import Sequence

from uwsgi_autopilot.api.nginxspec import StaticFiles

# What nginx ships as conf/uwsgi_params.
UWSGI_PARAMS = (
    ("QUERY_STRING", "$query_string"),
    ("REQUEST_METHOD", "$request_method"),
    ("CONTENT_TYPE", "$content_type"),
    ("CONTENT_LENGTH", "$content_length"),
    ("REQUEST_URI", "$request_uri"),
    ("PATH_INFO", "$document_uri"),
    ("DOCUMENT_ROOT", "$document_root"),
    ("SERVER_PROTOCOL", "$server_protocol"),
    ("REQUEST_SCHEME", "$scheme"),
    ("HTTPS", "$https if_not_empty"),
    ("REMOTE_ADDR", "$remote_addr"),
    ("REMOTE_PORT", "$remote_port"),
    ("SERVER_PORT", "$server_port"),
    ("SERVER_NAME", "$server_name"),
    # Left out. nginx has read a chunked body to its end and says CONTENT_LENGTH; with this beside it Werkzeug, and so
    # Flask, trusts neither and reads nothing.
    ("HTTP_TRANSFER_ENCODING", '"" if_not_empty'),
)


def uwsgi_params(*, without: Sequence[str] = ()) -> list[str]:
    return [f"uwsgi_param {name} {value};" for name, value in UWSGI_PARAMS if name not in without]


def of_application(draining: str, streaming: Sequence[str]) -> list[str]:
    """Everything, and what is below the paths `streaming` without a buffer between the application and the client."""
    ask = ["uwsgi_pass autopilot_app;"]
    stream = ["uwsgi_buffering off;", *ask]
    lines = ["error_page 418 = @draining;", *_location("/", [*_SELDOM, _drain(draining, 418), *ask])]
    lines += _location("@draining", [_CLOSE, *ask])
    if streaming:
        lines += ["error_page 419 = @draining_streaming;"]
        lines += _location("@draining_streaming", [_CLOSE, *stream])
    for path in streaming:
        # Both: with the second alone nginx would redirect the path itself to the one with a slash.
        for name in (f"= {quoted(path)}", quoted(f"{path}/")):
            lines += _location(name, [_drain(draining, 419), *stream])
    return lines


def of_files(draining: str, static: Sequence[StaticFiles], settings: Sequence[str]) -> list[str]:
    """Files for everybody. `settings`: further lines of each location."""
    lines = ["error_page 420 = /_autopilot/draining$uri;"] if static else []
    for each in static:
        prefix, files = _prefix(each.path), [_alias(each.dir), *settings]
        lines += _location(quoted(prefix), [_drain(draining, 420), *files])
        lines += _location(quoted("/_autopilot/draining" + prefix), ["internal;", _CLOSE, *files])
    return lines


def of_internal_files(internal: Sequence[StaticFiles]) -> list[str]:
    """Files that the application sends nginx for (X-Accel-Redirect). They have no twin: a request comes here from one
    already, and nginx follows one such status a request."""
    return [
        line for each in internal for line in _location(quoted(_prefix(each.path)), ["internal;", _alias(each.dir)])
    ]


def agents_pages() -> list[str]:
    return _location("/_autopilot/", ["access_log off;", "proxy_pass http://autopilot_agent/;"])


def startup(path: str, host: str) -> list[str]:
    """The whole way to the application. Any answer of it below 500 means that it is up: Django answers 400 to an
    unknown Host. A redirect too: the kubelet would follow it, to https or to a Host that the application does not know.
    """
    fine = " ".join(str(status) for status in range(300, 500) if status not in (304, 499))
    ours = {
        "REQUEST_URI": quoted(path),
        "PATH_INFO": quoted(path.partition("?")[0]),
        "QUERY_STRING": quoted(path.partition("?")[2]),
    }
    return [
        *_location(
            "= /_autopilot/startup",
            [
                "uwsgi_intercept_errors on;",
                f"error_page {fine} = @up;",
                *uwsgi_params(without=tuple(ours)),
                *(f"uwsgi_param {name} {value};" for name, value in ours.items()),
                f"uwsgi_param HTTP_HOST {host or 'localhost'};",
                "uwsgi_pass autopilot_app;",
            ],
        ),
        "location @up { return 200 'up\\n'; }",
    ]


# Connection: close, so that clients' pools empty before we go.
_CLOSE = "keepalive_timeout 0;"
# Whether the file that says that we stop is there is asked once a second and not for each request, which is a system
# call. For nothing but that file: what else has a path is in other locations.
_SELDOM = (
    "open_file_cache max=2;",
    "open_file_cache_valid 1s;",
    "open_file_cache_errors on;",
)


def _drain(draining: str, status: int) -> str:
    return f"if (-f {quoted(draining)}) {{ return {status}; }}"


def _prefix(path: str) -> str:
    return "/" + path.strip("/") + "/"


def _alias(directory: str) -> str:
    return f"alias {quoted(directory.rstrip('/') + '/')};"


def _location(name: str, lines: Sequence[str]) -> list[str]:
    return [f"location {name} {{", *indented(lines), "}"]


def indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else line for line in lines]


def quoted(text: str) -> str:
    """A value that nginx takes literally; `$` would begin a variable, which no path of ours may contain."""
    if "$" in text or "\n" in text or '"' in text:
        raise ValueError(f"expected a path without $, quotation mark or line break, found {text!r}")
    return f'"{text}"'


def escaped(text: str) -> str:
    """A text with quotation marks or backslashes in it, as nginx reads it in quotation marks."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
