"""The verbs and flags of the command line, and what each may hold. What a verb does is in cli.py."""

import argparse
from pathlib import Path

from uwsgi_autopilot import __version__
from uwsgi_autopilot.api.address import MAX_PORT
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import Bounds, Mode
from uwsgi_autopilot.loadgen.plan import parse_seconds
from uwsgi_autopilot.resources.privileges import PRIVILEGES


def parser() -> argparse.ArgumentParser:
    """Its namespace has the field `verb`, such as "local" or "crd print"."""
    top = argparse.ArgumentParser(
        prog="uwsgi-autopilot",
        description="Finds, live and without a failed request, "
        "how many processes and threads a uWSGI application should have.",
    )
    top.add_argument("--version", action="version", version=f"uwsgi-autopilot {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    local = commands.add_parser("local", help="serve and tune the application of a manifest on this machine")
    _common(local)
    _run_options(local, mode="the manifest's")
    local.set_defaults(verb="local")

    serve = commands.add_parser(
        "serve",
        help="serve and tune what a configuration of uWSGI says: an ini, yaml, json or xml file, or options after --",
        usage="uwsgi-autopilot serve [OPTIONS] FILE [-- UWSGI_OPTIONS ...]",
    )
    serve.add_argument("arguments", nargs="+", metavar="FILE", help="as after `uwsgi`")
    _run_options(serve, mode="Auto")
    serve.add_argument(
        "--router", choices=("auto", "nginx", "uwsgi"), default="auto",
        help="what serves http: nginx, or uWSGI's own (default: nginx where it is installed)",
    )  # fmt: skip
    serve.add_argument(
        "--processes", type=_bounds, metavar="MIN-MAX", help="bounds, such as 1-8 (default 1 to 4 a core, at least 16)"
    )
    serve.add_argument("--threads", type=_bounds, metavar="MIN-MAX", help="bounds, such as 1-32 (default 1-64)")
    serve.add_argument("--status-port", type=_port, metavar="PORT", help="of the agent's pages (default 9117)")
    serve.add_argument(
        "--log-socket", metavar="PATH", help="unix socket to which your own nginx sends its log, for p99 and errors"
    )
    serve.add_argument(
        "--no-memory-guard", dest="memory_guard", action="store_false", help="what leaks is left alone, in every mode"
    )
    serve.add_argument(
        "--parking", action="store_true", help="workers that the load does not need end, and are back when it grows"
    )
    serve.add_argument("--write", action="store_true", help="at the end, write the shape that was found into the ini")
    serve.set_defaults(verb="serve")

    render = commands.add_parser(
        "render", help="print nginx's server block and systemd's unit for a uWSGI configuration on a virtual machine"
    )
    render.add_argument("file", type=Path, metavar="FILE", help="the configuration, such as app.ini")
    render.add_argument("--nginx", dest="parts", action="append_const", const="nginx", help="only the server block")
    render.add_argument("--systemd", dest="parts", action="append_const", const="systemd", help="only the unit")
    render.add_argument("--name", help="of the service and its files (default: from the file's folder and name)")
    render.set_defaults(verb="render")

    demo = commands.add_parser(
        "demo", help="watch an application get faster: a load that changes once, then a comparison"
    )
    _common(demo)
    demo.set_defaults(verb="demo")

    dev = commands.add_parser(
        "dev", help="serve the application of a manifest for development: loaded again at each save"
    )
    _common(dev, server="uWSGI")
    dev.set_defaults(verb="dev")

    doctor = commands.add_parser("doctor", help="list what is dangerous or useless in a uWSGI configuration")
    doctor.add_argument("file", type=Path, nargs="?", metavar="FILE", help="for uWSGI, or a UwsgiApp manifest")
    doctor.add_argument("--pid", type=_count, metavar="PID", help="of a uWSGI that runs, in place of FILE")
    doctor.add_argument("--format", choices=("text", "json"), default="text", help="of what is printed (default text)")
    doctor.add_argument("--database-limit", type=_count, metavar="N", help="connections that the database allows")
    doctor.add_argument("--pods", type=_count, metavar="N", help="how many serve this (default: the manifest's, or 1)")
    doctor.set_defaults(verb="doctor")

    replay = commands.add_parser("replay", help="run a recording through the law: what it would have done, and why")
    replay.add_argument("file", type=Path, metavar="FILE", help="as written by `local` or `serve` with --record FILE")
    replay.add_argument("--processes", type=_bounds, metavar="MIN-MAX", help="bounds in place of the recorded ones")
    replay.add_argument("--threads", type=_bounds, metavar="MIN-MAX", help="bounds in place of the recorded ones")
    replay.add_argument("--format", choices=("text", "json"), default="text", help="of what is printed (default text)")
    replay.set_defaults(verb="replay")

    operator = commands.add_parser("operator", help="serve and tune every UwsgiApp of a cluster; the chart starts this")
    operator.add_argument("--namespace", required=True, metavar="NAME", help="where the chart's own objects are")
    operator.add_argument("--template", required=True, metavar="NAME", help="the PodTemplate that pods are made from")
    operator.add_argument("--skeletons", required=True, metavar="NAME", help="the ConfigMap of the other objects")
    operator.add_argument("--agent-image", required=True, metavar="IMAGE", help="image that pods copy the agent from")
    operator.add_argument(
        "--watch-namespace",
        action="append",
        default=[],
        metavar="NAME",
        help="watch only this one (default: all; repeatable)",
    )
    operator.add_argument(
        "--lease", default="uwsgi-autopilot", metavar="NAME",
        help="the Lease in --namespace: of several operators the one that holds it decides (default uwsgi-autopilot)",
    )  # fmt: skip
    operator.add_argument(
        "--allow", action="append", default=[], choices=PRIVILEGES, metavar="PRIVILEGE",
        help=f"let spec.template ask for it; may be repeated: {', '.join(PRIVILEGES)}",
    )  # fmt: skip
    operator.add_argument(
        "--max-concurrent-rollouts", type=_count, default=5, metavar="NUMBER",
        help="applications that take over a change of --template at once (default 5)",
    )  # fmt: skip
    operator.add_argument("--port", type=_port, default=8080, help="of /healthz, /ready and /metrics (default 8080)")
    operator.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="one JSON object a line, or text (default text)"
    )
    operator.set_defaults(verb="operator")

    crd = commands.add_parser("crd", help="the custom resource definition of UwsgiApp")
    crd_commands = crd.add_subparsers(required=True, metavar="WHAT")
    crd_print = crd_commands.add_parser("print", help="write it to standard output as YAML, for kubectl apply -f -")
    crd_print.set_defaults(verb="crd print")
    crd_apply = crd_commands.add_parser(
        "apply", help="update the cluster's to this version; the chart's upgrade runs this"
    )
    crd_apply.set_defaults(verb="crd apply")
    return top


def _run_options(parser: argparse.ArgumentParser, *, mode: str) -> None:
    parser.add_argument(
        "--for", dest="seconds", type=_seconds, help="stop after this long, such as 60s or 5m (default: never)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what happened as JSON")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write all that the autopilot sees, for `replay`; .gz: compressed"
    )
    parser.add_argument("--mode", type=_mode, metavar="MODE", help=f"Auto, Recommend or Disabled (default: {mode})")
    parser.add_argument(
        "--shape", type=_shape, metavar="PxT", help="the first shape, such as 4x16; with --mode Disabled the only one"
    )
    parser.add_argument(
        "--load",
        action="append",
        metavar="LOAD",
        help="send requests: clients=64,path=/io?ms=100 or rate=200,...; with from=20s several make phases",
    )


def _common(parser: argparse.ArgumentParser, server: str = "nginx") -> None:
    parser.add_argument("manifest", type=Path, help="a UwsgiApp manifest, such as app/uwsgiapp.yaml")
    parser.add_argument("--port", type=_port, default=8088, help=f"of {server} (default 8088)")
    parser.add_argument("--host", default="127.0.0.1", help=f"address that {server} listens on (default 127.0.0.1)")
    parser.add_argument(
        "--chdir", type=Path, metavar="DIR", help="where modules are imported from (default: the manifest's folder)"
    )


def _seconds(text: str) -> float:
    try:
        seconds = parse_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"expected more than 0 seconds, found {text!r}")
    return seconds


def _mode(text: str) -> Mode:
    for mode in Mode:
        if text.lower() == mode.value.lower():
            return mode
    raise argparse.ArgumentTypeError(f"expected Auto, Recommend or Disabled, found {text!r}")


def _shape(text: str) -> Shape:
    try:
        return Shape.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _bounds(text: str) -> Bounds:
    least, dash, most = text.partition("-")
    if not least.isdigit() or (dash and not most.isdigit()) or not 1 <= int(least) <= int(most or least) <= 1024:
        raise argparse.ArgumentTypeError(f"expected bounds such as 1-8, from 1 to 1024, found {text!r}")
    return Bounds(min=int(least), max=int(most or least))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to {MAX_PORT}, found {text!r}")
    return int(text)
