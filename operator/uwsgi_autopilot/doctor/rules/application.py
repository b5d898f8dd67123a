"""Rules about how the application is loaded, and what its code does while it is."""

from collections.abc import Sequence

from uwsgi_autopilot.doctor.configuration import Facts, Use
from uwsgi_autopilot.doctor.finding import CODE, THINGS_TO_KNOW, Finding, Rule, Severity

_SHOWN = 3
# From here on Python's threads are set up whether enable-threads is given or not.
_THREADS_BY_DEFAULT = (2, 0, 27)


def shared_connection(facts: Facts) -> Finding | None:
    asked, found = facts.configuration, facts.code.connections
    if not found or asked.processes <= 1 or not asked.preforked:
        return None
    return Finding(
        severity=Severity.DANGEROUS,
        finding=f"one connection for {asked.processes} processes: {_places(found)}",
        reason=f"It is opened while the module is loaded, before the fork, so all {asked.processes} workers "
        "write to and read from the same socket: answers reach the wrong request, TLS and the protocol break.",
        remedy="lazy-apps = true, or open it when first used, or in a function with @postfork (uwsgidecorators)",
        link=CODE,
    )


def pool_before_fork(facts: Facts) -> Finding | None:
    asked, found = facts.configuration, facts.code.pools
    if not found or asked.processes <= 1 or not asked.preforked:
        return None
    return Finding(
        severity=Severity.HINT,
        finding=f"a pool made before the workers are forked: {_places(found)}",
        reason="It is safe only while nothing connects during the import (a query, create_all, a warm-up): what is "
        f"open at the fork is shared by all {asked.processes} processes.",
        remedy="lazy-apps = true, or engine.dispose(close=False) in a function with @postfork (uwsgidecorators)",
        link=CODE,
    )


def thread_before_fork(facts: Facts) -> Finding | None:
    found = [each for each in facts.code.threads if each.at_import]
    if not found or not facts.configuration.preforked:
        return None
    return Finding(
        severity=Severity.WARNING,
        finding=f"a thread that runs in no worker: {_places(found)}",
        reason="It is started while the module is loaded, in the master; a fork copies no threads. Measured: a counter "
        "stood at 1 in the worker, and went up by 100 a second with lazy-apps.",
        remedy="lazy-apps = true, or start it in a function with @postfork (uwsgidecorators)",
        link=CODE,
    )


def threads_not_enabled(facts: Facts) -> Finding | None:
    asked, found = facts.configuration, facts.code.threads
    if not found or asked.threads > 1 or asked.has("enable-threads") or asked.has("gevent"):
        return None
    if facts.version is not None and facts.version >= _THREADS_BY_DEFAULT:
        return None
    return Finding(
        severity=Severity.HINT,
        finding=f"no enable-threads, and the application starts threads: {_places(found)}",
        reason="With threads = 1 and without it, a uWSGI older than 2.0.27 does not run them between requests.",
        remedy="enable-threads = true",
        link=THINGS_TO_KNOW,
    )


def unknown_options(facts: Facts) -> Finding | None:
    if not facts.unknown:
        return None
    names = ", ".join(facts.unknown)
    several = len(facts.unknown) > 1
    if facts.configuration.has("strict"):
        return Finding(
            severity=Severity.DANGEROUS,
            finding=f"this uWSGI does not know {names}, and refuses to start",
            reason="With strict, a name that it does not know ends it: a slip of the pen, or a plugin that it lacks.",
            remedy="correct or remove it",
            link=CODE,
        )
    return Finding(
        severity=Severity.WARNING,
        finding=f"ignored, because this uWSGI does not know {'them' if several else 'it'}: {names}",
        reason="A name that uWSGI does not know is a placeholder to it, without a word; nothing refers to "
        f"{'these' if several else 'this one'}. A slip of the pen, or a plugin that this build lacks.",
        remedy="correct or remove it, then strict = true",
        link=CODE,
    )


def not_strict(facts: Facts) -> Finding | None:
    if facts.configuration.has("strict"):
        return None
    return Finding(
        severity=Severity.HINT,
        finding="no strict: a mistyped option is ignored",
        reason="uWSGI takes a name that it does not know for a placeholder. With strict it refuses to start.",
        remedy="strict = true (placeholders then need set-placeholder = NAME=VALUE)",
        link=CODE,
    )


def no_need_app(facts: Facts) -> Finding | None:
    asked = facts.configuration
    loads = asked.has("module", "wsgi-file", "mount", "paste", "pecan")
    if facts.served or not loads or asked.has("need-app"):
        return None
    return Finding(
        severity=Severity.WARNING,
        finding="no need-app: an application that fails to load is answered with 500",
        reason="After an import error uWSGI starts without an application and answers every request with 500; systemd "
        "and Kubernetes see a server that runs.",
        remedy="need-app = true",
        link=CODE,
    )


def several_interpreters(facts: Facts) -> Finding | None:
    """Only what `mount` names gets an interpreter of its own; `module` and `wsgi-file` are loaded into the first."""
    asked = facts.configuration
    mounts = len(asked.every("mount"))
    if not mounts or asked.has("single-interpreter"):
        return None
    return Finding(
        severity=Severity.HINT,
        finding=f"no single-interpreter: {mounts} sub-interpreter{'s' * (mounts != 1)} for what mount names",
        reason="C extensions with global state (numpy and others) fail or crash in a second interpreter of a process.",
        remedy="single-interpreter = true, unless the applications need different versions of one package",
        link=THINGS_TO_KNOW,
    )


def _places(found: Sequence[Use]) -> str:
    shown = ", ".join(f"{each.call} at {each.place}" for each in found[:_SHOWN])
    return shown + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")


RULES: tuple[Rule, ...] = (
    shared_connection, pool_before_fork, thread_before_fork, threads_not_enabled, unknown_options, not_strict,
    no_need_app, several_interpreters,
)  # fmt: skip
