"""The command line: what a person types, turned into calls. Exit 0: success; 1: not served; 2: invalid input."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from uwsgi_autopilot.api.crd import crd_text
from uwsgi_autopilot.api.manifest import load_manifest
from uwsgi_autopilot.api.uwsgiapp import Mode, UwsgiApp
from uwsgi_autopilot.cliparser import parser
from uwsgi_autopilot.doctor.main import Options as DoctorOptions
from uwsgi_autopilot.doctor.main import run_doctor
from uwsgi_autopilot.errors import AutopilotError, UsageError
from uwsgi_autopilot.local.demo import run_demo
from uwsgi_autopilot.local.dev import run_dev
from uwsgi_autopilot.local.nginxcheck import missing_directories
from uwsgi_autopilot.local.programs import find_programs, find_uwsgi
from uwsgi_autopilot.local.render import run_render
from uwsgi_autopilot.local.run import Options, run_local
from uwsgi_autopilot.local.serve import ServeOptions, run_serve
from uwsgi_autopilot.replay.main import Options as ReplayOptions
from uwsgi_autopilot.replay.main import run_replay
from uwsgi_autopilot.views.lines import DevView
from uwsgi_autopilot.views.select import view_for_output

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    asked = parser().parse_args(argv)
    try:
        return VERBS[asked.verb](asked)
    except AutopilotError as error:
        print(f"uwsgi-autopilot: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def _local(asked: argparse.Namespace) -> int:
    app, options = _app_and_options(asked)
    with view_for_output() as view:
        return run_local(app, options, find_programs(), view)


def _serve(asked: argparse.Namespace) -> int:
    options = Options(
        folder=Path.cwd(), seconds=asked.seconds, report=asked.report, record=asked.record, mode=asked.mode,
        shape=asked.shape, loads=tuple(asked.load or ()),
    )  # fmt: skip
    serve = ServeOptions(
        arguments=tuple(asked.arguments), mode=asked.mode or Mode.AUTO, router=asked.router,
        status_port=asked.status_port, processes=asked.processes, threads=asked.threads, write=asked.write,
        log_socket=asked.log_socket and os.path.abspath(asked.log_socket), memory_guard=asked.memory_guard,
        parking=asked.parking,
    )  # fmt: skip
    with ExitStack() as stack:
        return run_serve(serve, options, lambda: stack.enter_context(view_for_output()))


def _demo(asked: argparse.Namespace) -> int:
    app, options = _app_and_options(asked)
    with view_for_output() as view:
        return run_demo(app, options, find_programs(), view)


def _render(asked: argparse.Namespace) -> int:
    return run_render(asked.file, name=asked.name, parts=asked.parts or ())


def _dev(asked: argparse.Namespace) -> int:
    _, options = _app_and_options(asked)
    load = partial(load_manifest, asked.manifest)
    return run_dev(
        load, asked.manifest, options.folder, host=asked.host, port=asked.port, uwsgi=find_uwsgi(), view=DevView()
    )


def _doctor(asked: argparse.Namespace) -> int:
    return run_doctor(
        DoctorOptions(
            file=asked.file,
            pid=asked.pid,
            json=asked.format == "json",
            database_limit=asked.database_limit,
            pods=asked.pods,
        )
    )


def _replay(asked: argparse.Namespace) -> int:
    return run_replay(
        ReplayOptions(
            file=asked.file, processes=asked.processes, threads=asked.threads, json=asked.format == "json"
        )
    )  # fmt: skip


def _crd_print(_: argparse.Namespace) -> int:
    sys.stdout.write(crd_text())
    return 0


def _crd_apply(_: argparse.Namespace) -> int:
    try:
        from uwsgi_autopilot.controller.definition import run_crd_apply
    except ImportError as error:
        raise _without_operator(error) from None
    return run_crd_apply()


def _operator(asked: argparse.Namespace) -> int:
    try:
        from uwsgi_autopilot.controller.logs import LogFormat
        from uwsgi_autopilot.controller.main import run_operator
        from uwsgi_autopilot.controller.options import Options as OperatorOptions
    except ImportError as error:
        raise _without_operator(error) from None
    return run_operator(
        OperatorOptions(
            template=asked.template,
            skeletons=asked.skeletons,
            namespace=asked.namespace,
            agent_image=asked.agent_image,
            lease=asked.lease,
            allow=tuple(asked.allow),
            watch=tuple(asked.watch_namespace),
            max_concurrent_rollouts=asked.max_concurrent_rollouts,
            port=asked.port,
            log_format=LogFormat(asked.log_format),
        )
    )


def _without_operator(error: ImportError) -> UsageError:
    return UsageError(
        f"the operator needs more packages ({error.name} is missing): pip install 'uwsgi-autopilot[operator]'"
    )


def _app_and_options(asked: argparse.Namespace) -> tuple[UwsgiApp, Options]:
    app = load_manifest(asked.manifest)
    if app.ignored:
        print(f"not used on one machine: {', '.join(app.ignored)}", file=sys.stderr)
    folder = (asked.chdir or asked.manifest.parent).absolute()
    if not folder.is_dir():
        raise UsageError(f"--chdir: expected a folder, found {folder}")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UsageError(f"--chdir: {folder} cannot be read by this user: the module is imported from there")
    for sentence in missing_directories(app, folder):
        print(sentence, file=sys.stderr)
    return app, Options(
        folder=folder,
        port=asked.port,
        host=asked.host,
        seconds=getattr(asked, "seconds", None),
        report=getattr(asked, "report", None),
        record=getattr(asked, "record", None),
        mode=getattr(asked, "mode", None),
        shape=getattr(asked, "shape", None),
        loads=tuple(getattr(asked, "load", None) or ()),
    )


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "local": _local,
    "serve": _serve,
    "render": _render,
    "demo": _demo,
    "dev": _dev,
    "doctor": _doctor,
    "replay": _replay,
    "operator": _operator,
    "crd print": _crd_print,
    "crd apply": _crd_apply,
}


if __name__ == "__main__":
    sys.exit(main())
