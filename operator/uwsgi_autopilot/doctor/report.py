"""Findings as text for a person and as JSON for a program: pure."""

import json
import textwrap
from collections.abc import Sequence

from uwsgi_autopilot.doctor.finding import Finding, Severity
from uwsgi_autopilot.report.text import safe

_INDENT = 11  # "dangerous  "
_LEAST_WIDTH = 40


def text_of(subject: str, findings: Sequence[Finding], width: int) -> str:
    """One block for each finding, the counts last. width: of the terminal, in characters."""
    if not findings:
        return f"{subject}: nothing to object to\n"
    blocks = [_block(each, max(_LEAST_WIDTH, width)) for each in findings]
    return "\n".join([*blocks, f"{subject}: {counts(findings)}\n"])


def json_of(subject: str, findings: Sequence[Finding]) -> str:
    written = {
        "subject": subject,
        **{each.value: sum(found.severity is each for found in findings) for each in Severity},
        "findings": [
            {
                "rule": each.rule,
                "severity": each.severity.value,
                "finding": safe(each.finding),
                "reason": safe(each.reason),
                "remedy": safe(each.remedy),
                "link": each.link,
            }
            for each in findings
        ],
    }
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"


def counts(findings: Sequence[Finding]) -> str:
    """ "1 dangerous, 2 warnings, no hints" """
    numbers = {each: sum(found.severity is each for found in findings) for each in Severity}
    words = [f"{numbers[Severity.DANGEROUS] or 'nothing'} dangerous"]
    others = (Severity.WARNING, Severity.HINT)
    words += [f"{numbers[each] or 'no'} {each.value}{'s' * (numbers[each] != 1)}" for each in others]
    return ", ".join(words)


def _block(each: Finding, width: int) -> str:
    lines = [
        (each.severity.value, safe(each.finding)),
        ("  why", safe(each.reason)),
        ("  do", safe(each.remedy)),
        ("  see", f"{each.link} ({each.rule})"),
    ]
    return "".join(
        textwrap.fill(
            text, width, initial_indent=word.ljust(_INDENT), subsequent_indent=" " * _INDENT,
            break_long_words=False, break_on_hyphens=False,
        ) + "\n"
        for word, text in lines
    )  # fmt: skip
