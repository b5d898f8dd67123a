"""Ask every rule: pure."""

from dataclasses import replace

from uwsgi_autopilot.doctor.configuration import Facts
from uwsgi_autopilot.doctor.finding import Finding, Rule, Severity, name_of
from uwsgi_autopilot.doctor.rules import application, machine, queue, reach, stopping

RULES: tuple[Rule, ...] = (*queue.RULES, *stopping.RULES, *reach.RULES, *application.RULES, *machine.RULES)
_ORDER = list(Severity)


def diagnose(facts: Facts) -> list[Finding]:
    """Dangerous first; within a severity in the order of the rules."""
    found = [replace(finding, rule=name_of(rule)) for rule in RULES if (finding := rule(facts)) is not None]
    return sorted(found, key=lambda each: _ORDER.index(each.severity))
