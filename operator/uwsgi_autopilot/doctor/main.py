"""`uwsgi-autopilot doctor`: gather, ask, print."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from uwsgi_autopilot.doctor.configuration import Facts
from uwsgi_autopilot.doctor.diagnose import diagnose
from uwsgi_autopilot.doctor.facts import read_file, read_process
from uwsgi_autopilot.doctor.finding import Severity
from uwsgi_autopilot.doctor.report import json_of, text_of
from uwsgi_autopilot.errors import NotServing, UsageError

# Of a file or a pipe, which have none.
_WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Exactly one of `file` and `pid`. json: in place of text."""

    file: Path | None = None
    pid: int | None = None
    json: bool = False
    database_limit: int | None = None
    pods: int | None = None


def run_doctor(asked: Options) -> int:
    """1 when something is dangerous, else 0. Raises AutopilotError."""
    if (asked.file is None) == (asked.pid is None):
        raise UsageError("doctor: expected a FILE or --pid PID, and not both")
    try:
        facts = _gather(asked)
    except NotServing as error:  # its status, 1, means something else here
        raise UsageError(str(error)) from None
    subject = str(asked.file or f"process {asked.pid}")
    findings = diagnose(facts)
    width = shutil.get_terminal_size((_WIDTH, 24)).columns
    sys.stdout.write(json_of(subject, findings) if asked.json else text_of(subject, findings, width))
    return 1 if any(each.severity is Severity.DANGEROUS for each in findings) else 0


def _gather(asked: Options) -> Facts:
    if asked.file is not None:
        return read_file(asked.file, database_limit=asked.database_limit, pods=asked.pods)
    assert asked.pid is not None
    return read_process(asked.pid, database_limit=asked.database_limit, pods=asked.pods)
