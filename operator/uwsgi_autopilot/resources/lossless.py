"""What of our containers an overlay must leave alone so that no request is lost: how they are stopped, what their
probes ask, who has their ports.

A rollout sends clients to a pod when nginx' readiness probe says so, and takes it away by way of nginx' preStop and its
stop signal; what an overlay changes there shows only as failed requests at the next rollout.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from uwsgi_autopilot.api.words import found

Container = Mapping[str, Any]
Problem = tuple[str, str]

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
# The other fields of a probe are numbers, which may be changed.
HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
# By container: on it nginx finishes its requests, and the agent begins to drain.
STOP_SIGNALS = {"nginx": "SIGQUIT", "app": "SIGTERM"}


def stop_delay(container: Container) -> int | None:
    """Seconds of its preStop sleep; None: it has no preStop that is a sleep and nothing else."""
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    seconds: int | None = (hook.get("sleep") or {}).get("seconds") if hook.keys() == {"sleep"} else None
    return seconds


def of_container(before: Container, after: Container, where: str) -> Iterator[Problem]:
    """`before`: the container app or nginx without the overlay; `after`: with it."""
    yield from _stopping(before, after, f"{where}.lifecycle")
    for probe in PROBES:
        if _handler(before.get(probe)) != _handler(after.get(probe)):
            instead = (
                "change its numbers, such as periodSeconds and failureThreshold" if probe in before else "leave it out"
            )
            yield (
                f"{where}.{probe}",
                f"what it checks cannot be changed, or pods would get requests that they cannot answer: {instead}",
            )


def ports_taken(before: Mapping[str, Container], after: Mapping[str, Container], where: str) -> Iterator[Problem]:
    """A Service finds a port by the first container that has one of that name, and new containers come first.

    `before`: ours, by name; `after`: all of the pod in the same list.
    """
    ours = [port for each in before.values() for port in each.get("ports") or ()]
    names, numbers = {each.get("name") for each in ours} - {None}, {each.get("containerPort") for each in ours}
    for name in after.keys() - before.keys():
        for number, port in enumerate(after[name].get("ports") or ()):
            for field, taken in (("name", names), ("containerPort", numbers)):
                if port.get(field) in taken:
                    yield (
                        f"{where}[{name}].ports[{number}].{field}",
                        f"expected something other than {found(port[field])}: the autopilot's own containers use it",
                    )


def _stopping(before: Container, after: Container, where: str) -> Iterator[Problem]:
    was, now = before.get("lifecycle") or {}, after.get("lifecycle") or {}
    if was.get("preStop") != now.get("preStop") and (sentence := _about_pre_stop(before, after)):
        yield f"{where}.preStop", sentence
    signal, known = now.get("stopSignal"), STOP_SIGNALS[before["name"]]
    if signal not in (was.get("stopSignal"), known):
        yield (
            f"{where}.stopSignal",
            f"expected {known}, on which it stops without losing a request, found {found(signal)}",
        )


def _about_pre_stop(before: Container, after: Container) -> str | None:
    if before["name"] == "app":
        return "it cannot be changed: the agent must learn at once that the pod is stopping"
    least, asked = stop_delay(before) or 0, stop_delay(after)
    if asked is not None and asked >= least:
        return None
    said = f"one of {asked}" if asked is not None else "none"
    why = "that is how long other nodes may keep sending requests to a pod that is stopping"
    return f"expected a sleep of at least {least} seconds and nothing else, found {said}: {why}"


def _handler(probe: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: probe[name] for name in HANDLERS if name in probe} if probe else {}
