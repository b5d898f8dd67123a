"""Each rule of the doctor: a configuration that it objects to, and its neighbour, with which it agrees."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from uwsgi_autopilot.doctor.configuration import Code, Configuration, Facts, Machine, Use
from uwsgi_autopilot.doctor.diagnose import RULES, diagnose
from uwsgi_autopilot.doctor.finding import Severity, name_of

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"
MIB = 2**20
D, W, H = Severity.DANGEROUS, Severity.WARNING, Severity.HINT
THREAD = Use(place="wsgi.py:3", call="threading.Thread", at_import=True)
LATER = replace(THREAD, at_import=False)
CONNECTION = Use(place="db.py:3", call="psycopg2.connect", at_import=True)
ENGINE = Use(place="db.py:4", call="sqlalchemy.create_engine", at_import=True)


def facts(ini: str = "", **others: Any) -> Facts:
    """`ini`: lines with `; ` between them; a name alone is a flag."""
    lines = [line.partition("=") for line in ini.split("; ") if line]
    return Facts(configuration=Configuration((name, value or "true") for name, _, value in lines), **others)


def machine(ini: str = "", **seen: Any) -> Facts:
    return facts(ini, machine=Machine(**seen))


# rule: [(severity, objects), ...], [agrees, ...]
TABLE: dict[str, tuple[list[tuple[Severity, Facts]], list[Facts]]] = {
    "no-workers": ([(D, facts("processes=0"))], [facts("processes=1"), facts()]),
    "listen-above-somaxconn": (
        [(D, machine("http-socket=:80; listen=4097", somaxconn=4096)), (D, machine("http=:80", somaxconn=64))],
        [
            machine("http-socket=:80; listen=4096", somaxconn=4096),
            machine("socket=fd://3; listen=9999", somaxconn=4096),
        ],
    ),
    "short-queue": (
        [(W, facts("socket=a.sock")), (W, facts("http=:80; l=100"))],
        [facts("socket=a.sock; listen=101"), facts("socket=fd://3"), facts("socket=a.sock", served=True)],
    ),
    "cheaper-without-room": (
        [(D, facts("processes=2; cheaper=2")), (D, facts("cheaper=1"))],
        [facts("processes=2; cheaper=1"), facts("processes=2; cheaper=0"), facts("processes=2")],
    ),
    "cheaper-backlog-blind": (
        [(D, facts("socket=a.sock; processes=4; cheaper=1; cheaper-algo=backlog"))],
        [
            facts("socket=127.0.0.1:3031; processes=4; cheaper=1; cheaper-algo=backlog"),
            facts("socket=a.sock; processes=4; cheaper=1; cheaper-algo=spare"),
        ],
    ),
    "cheaper-busyness-half-blind": (
        [
            (W, facts("socket=a.sock; processes=4; cheaper=1; cheaper-algo=busyness")),
            (W, facts("socket=:3031; processes=4; threads=8; cheaper=1; cheaper-algo=busyness")),
        ],
        [facts("socket=127.0.0.1:3031; processes=4; cheaper=1; cheaper-algo=busyness")],
    ),
    "no-thunder-lock": ([(H, facts("processes=2"))], [facts("processes=2; thunder-lock"), facts("threads=8")]),
    "small-buffer": ([(W, facts()), (W, facts("b=4096"))], [facts("buffer-size=8192"), facts("emperor=vassals")]),
    "no-post-buffering": (
        [(H, facts("socket=a.sock"))],
        [facts("socket=a.sock; post-buffering=65536"), facts("http=:80")],
    ),
    "bare-http-socket": ([(H, facts("http-socket=:80"))], [facts("http=:80"), facts("socket=a.sock")]),
    "other-than-threads": ([(H, facts("gevent=100"))], [facts("threads=4"), facts("gevent=0")]),
    "known-fault": (
        [
            (D, facts(version=(2, 0, 27))),
            (D, facts("threads=4; max-requests=1000", version=(2, 0, 24))),
            (H, facts("threads=4", version=(2, 0, 21))),
            (H, facts("max-requests=1000", version=(2, 0, 21))),
        ],
        [facts("threads=4; max-requests=1000", version=(2, 0, 28)), facts(version=(2, 1)), facts()],
    ),
    "reload-ends-it": (
        [(D, facts("touch-reload=x", module="/venv/bin/uwsgi")), (W, facts("master", module="/venv/bin/uwsgi"))],
        [facts("touch-reload=x"), facts("touch-reload=x; binary-path=/venv/bin/python", module="/venv/bin/uwsgi")],
    ),
    "kills-by-memory": ([(D, facts("evil-reload-on-rss=200"))], [facts("reload-on-rss=200")]),
    "harakiri-with-threads": ([(W, facts("harakiri=30; threads=2"))], [facts("harakiri=30"), facts("threads=2")]),
    "mercy-too-short": (
        [
            (W, facts("master; harakiri=61")),
            (W, facts("master; harakiri=30; worker-reload-mercy=29")),
            (W, facts("master; http-timeout=300")),
        ],
        [facts("master; harakiri=60"), facts("master; harakiri=300; worker-reload-mercy=300"), facts("harakiri=61")],
    ),
    "reload-mercy-alone": (
        [(W, facts("reload-mercy=8"))],
        [facts("reload-mercy=8; worker-reload-mercy=8"), facts("worker-reload-mercy=8")],
    ),
    "no-master": (
        [(W, facts()), (W, facts("processes=2; master=false"))],
        [facts("master"), facts("stats=a.stats"), facts("emperor=vassals"), facts(served=True)],
    ),
    "sigterm-reloads": (
        [(W, facts("master")), (W, facts("cheaper=1; processes=2"))],
        [
            facts("master; die-on-term"),
            facts("master; hook-master-start=unix_signal:15 gracefully_kill_them_all"),
            facts("master", served=True),
            facts(),
        ],
    ),
    "reload-with-one-thread": (
        [(H, facts("master"))],
        [facts("master; threads=2"), facts("master; gevent=10"), facts()],
    ),
    "lazy": ([(W, facts("lazy"))], [facts("lazy-apps"), facts("lazy=false")]),
    "autoreload-in-production": (
        [(W, facts("py-autoreload=1")), (W, facts("python-auto-reload=3"))],
        [facts("touch-reload=x"), facts("py-autoreload=0")],
    ),
    "recycled-together": (
        [(H, facts("processes=4; max-requests=1000")), (H, facts("processes=4; max-worker-lifetime=3600"))],
        [facts("max-requests=1000"), facts("processes=4; max-requests=1000; max-requests-delta=100")],
    ),
    "no-no-orphans": ([(H, facts("master"))], [facts("master; no-orphans"), facts()]),
    "no-vacuum": (
        [(H, facts("socket=a.sock")), (H, facts("http=:80; pidfile=a.pid"))],
        [facts("socket=a.sock; vacuum"), facts("http=:80"), facts("socket=@shop")],
    ),
    "open-socket": (
        [(D, facts("socket=:3031")), (D, facts("s=10.0.0.1:3031"))],
        [facts("socket=127.0.0.1:3031"), facts("socket=a.sock"), facts("http-socket=:80"), facts("socket=[::1]:80")],
    ),
    "open-stats": (
        [(D, facts("stats=:9191")), (D, facts("stats-server=0.0.0.0:9191"))],
        [facts("stats=127.0.0.1:9191"), facts("stats=a.stats")],
    ),
    "shared-stats": (
        [(W, facts("stats=127.0.0.1:9191")), (W, facts("stats=a.stats; stats-http"))],
        [facts("stats=a.stats"), facts()],
    ),
    "world-writable-socket": (
        [(W, facts("socket=a.sock; chmod-socket=666")), (W, facts("socket=a.sock; chmod-socket"))],
        [facts("socket=a.sock; chmod-socket=660"), facts("socket=:3031; chmod-socket=666"), facts("socket=a.sock")],
    ),
    "runs-as-root": ([(W, machine(root=True))], [machine("uid=www-data", root=True), machine(root=False)]),
    "shared-connection": (
        [(D, facts("processes=2", code=Code(connections=(CONNECTION,))))],
        [
            facts("processes=2; lazy-apps", code=Code(connections=(CONNECTION,))),
            facts("processes=1", code=Code(connections=(CONNECTION,))),
            facts("processes=2", code=Code(pools=(ENGINE,))),
        ],
    ),
    "pool-before-fork": (
        [(H, facts("processes=2", code=Code(pools=(ENGINE,))))],
        [facts("processes=2; lazy-apps", code=Code(pools=(ENGINE,))), facts(code=Code(pools=(ENGINE,)))],
    ),
    "thread-before-fork": (
        [(W, facts("master", code=Code(threads=(THREAD,))))],
        [
            facts("master; lazy-apps", code=Code(threads=(THREAD,))),
            facts("master", code=Code(threads=(LATER,))),
            facts(code=Code(threads=(THREAD,))),
        ],
    ),
    "threads-not-enabled": (
        [(H, facts(version=(2, 0, 26), code=Code(threads=(LATER,))))],
        [
            facts(version=(2, 0, 27), code=Code(threads=(LATER,))),
            facts("enable-threads", version=(2, 0, 26), code=Code(threads=(LATER,))),
            facts("threads=2", version=(2, 0, 26), code=Code(threads=(LATER,))),
        ],
    ),
    "unknown-options": (
        [(W, facts(unknown=("modlue",))), (D, facts("strict", unknown=("modlue",)))],
        [facts("module=wsgi")],
    ),
    "not-strict": ([(H, facts())], [facts("strict")]),
    "no-need-app": (
        [(W, facts("module=wsgi")), (W, facts("wsgi-file=wsgi.py"))],
        [facts("module=wsgi; need-app"), facts("http=:80")],
    ),
    "several-interpreters": (
        [(H, facts("mount=/a=a.py"))],
        [facts("mount=/a=a.py; single-interpreter"), facts("module=wsgi")],
    ),
    "descriptors-without-limit": (
        [(W, machine(descriptors=2**20)), (D, machine(descriptors=2**30))],
        [machine(descriptors=2**20 - 1), machine("max-fd=16384", descriptors=2**30), machine()],
    ),
    "memory-too-small": (
        [
            (W, machine("processes=4; reload-on-rss=200", memory=799 * MIB)),
            (W, replace(machine("processes=4", memory=799 * MIB), worker=200 * MIB)),
        ],
        [machine("processes=4; reload-on-rss=200", memory=800 * MIB), machine("processes=4", memory=1)],
    ),
    "more-processes-than-cores": (
        [(H, machine("processes=9", cores=2.0)), (H, machine("processes=5", cores=0.5))],
        [machine("processes=8", cores=2.0), machine("processes=4", cores=0.5), machine("processes=64")],
    ),
    "too-many-connections": (
        [
            (W, facts("processes=4; threads=8", database_limit=31)),
            (W, facts("processes=4; threads=8", database_limit=63, pods=2)),
            (W, facts("processes=4; threads=8", database_limit=63, served=True)),
            (W, facts("processes=4; threads=8", database_limit=39, served=True, max_connections=40)),
        ],
        [
            facts("processes=4; threads=8", database_limit=32),
            facts("processes=4; threads=8", database_limit=64, served=True),
            facts("processes=4; threads=8", database_limit=40, served=True, max_connections=40),
            facts("processes=400; threads=8"),
        ],
    ),
    "endless-log": ([(W, facts(endless_logs=("/var/log/shop.log",)))], [facts("logto=/var/log/shop.log")]),
}


def found(rule: str, seen: Facts) -> Severity | None:
    return next((each.severity for each in diagnose(seen) if each.rule == rule), None)


def test_every_rule_has_a_row_and_no_other() -> None:
    assert list(TABLE) == [name_of(rule) for rule in RULES]


@pytest.mark.parametrize("rule", TABLE)
def test_it_objects(rule: str) -> None:
    objects, _ = TABLE[rule]
    assert [found(rule, seen) for _, seen in objects] == [severity for severity, _ in objects]


@pytest.mark.parametrize("rule", TABLE)
def test_it_agrees(rule: str) -> None:
    _, agrees = TABLE[rule]
    assert [found(rule, seen) for seen in agrees] == [None] * len(agrees)


@pytest.mark.parametrize("rule", TABLE)
def test_a_finding_has_a_reason_a_remedy_and_a_page(rule: str) -> None:
    for _, seen in TABLE[rule][0]:
        finding = next(each for each in diagnose(seen) if each.rule == rule)
        assert finding.reason.endswith(".")
        assert finding.remedy
        assert finding.link.startswith(("https://uwsgi-docs.readthedocs.io/", "docs/doctor.md#"))


@pytest.mark.parametrize("rule", TABLE)
def test_the_page_names_its_severities(rule: str) -> None:
    row = re.search(rf"^\| `{rule}` \| ([a-z, ]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    assert set(row[1].split(", ")) == {severity.value for severity, _ in TABLE[rule][0]}


def test_what_is_dangerous_comes_first() -> None:
    severities = [each.severity for each in diagnose(facts("master; stats=:9191; processes=2"))]
    assert severities == sorted(severities, key=list(Severity).index)
    assert severities[0] is Severity.DANGEROUS


def test_the_last_of_two_values_counts() -> None:
    assert found("small-buffer", facts("buffer-size=4096; buffer-size=32768")) is None


def test_a_placeholder_of_the_shape_is_read_as_uwsgi_reads_it() -> None:
    """atoi: leading digits; no digits are 0, and 0 threads are 1."""
    assert (facts("workers=4x").configuration.processes, facts("threads=abc").configuration.threads) == (4, 1)
