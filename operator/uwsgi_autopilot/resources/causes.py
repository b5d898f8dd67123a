"""Why an application is not served, or not by its newest version: one reason and one sentence from what the API server
shows of its Deployment, ReplicaSets and pods. Why nothing was written at all is in unwritten.py.

To add a cause, write one function from a container's status to a Cause or None, and give it a place in the
list below.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from uwsgi_autopilot.report.text import safe
from uwsgi_autopilot.resources.text import last_lines

Body = Mapping[str, Any]

# A traceback leaves room for the sentence around it.
TAIL_BYTES = 700
# A pod that has been running for this long without an answer is worth naming; importing takes seconds.
NEVER_READY = timedelta(seconds=60)

# What the container runtime says when the image lacks a program.
_NO_PROGRAM = re.compile(r'exec: "([^"]+)": (?:executable file not found|stat [^:]*: no such file)')
# Of uWSGI's output, as the agent repeats it, and the agent's own sentences (uwsgi/loading.py, agent/logtail.py). An
# exception without a frame of the application, such as a SyntaxError, has no traceback.
_NOT_IMPORTED = re.compile(
    r"Traceback \(most recent call last\)|unable to load app|has no callable named|: there is no file "
    r"|ended the process while it was loaded|^(?:.* accepted requests: )?(?:\w+\.)*\w+(?:Error|Exception)(?:: .*)?$",
    re.MULTILINE,
)
# The agent's own.
_NO_UWSGI = re.compile(r"could not be started: \[Errno 2\] No such file or directory: '(?:[^']*/)?uwsgi'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """`reason`: one stable word; `message`: one sentence that a person can act on."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a pod: its name, its image, and its status as the kubelet tells it."""

    name: str
    image: str
    init: bool
    status: Body

    @property
    def waiting(self) -> Body:
        return (self.status.get("state") or {}).get("waiting") or {}

    @property
    def ended(self) -> Body:
        """How it ended: this time, or the time before."""
        now = (self.status.get("state") or {}).get("terminated")
        return now or (self.status.get("lastState") or {}).get("terminated") or {}


# --- one container


def image_not_pulled(each: Container) -> Cause | None:
    reasons = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
    if each.waiting.get("reason") not in reasons:
        return None
    # Two messages alternate: the reason itself, and the back-off, which repeats it or names only the image.
    why = each.waiting.get("message", "").rpartition("ErrImagePull: ")[2]
    told = "" if not why or why.startswith("Back-off pulling image") else f": {why}"
    what = f"the image {each.image} of container {each.name} cannot be pulled"
    return Cause(reason="ImageNotPulled", message=f"{what}{told}")


def runs_as_root(each: Container) -> Cause | None:
    why = each.waiting.get("message", "")
    if each.waiting.get("reason") != "CreateContainerConfigError" or not re.search("runAsNonRoot|non-root", why):
        return None
    user = "a user that is not a number" if "non-numeric user" in why else "root"
    advice = "give the image a numeric USER, or set spec.template.spec.securityContext.runAsUser"
    return Cause(reason="RunsAsRoot", message=f"the image {each.image} would run as {user}: {advice}")


def reference_missing(each: Container) -> Cause | None:
    if each.waiting.get("reason") != "CreateContainerConfigError":
        return None
    why = each.waiting.get("message", "")
    return Cause(reason="ReferenceMissing", message=f"container {each.name} cannot be created: {why}")


def no_python(each: Container) -> Cause | None:
    why = f"{each.waiting.get('message', '')} {each.ended.get('message', '')}"
    missing = _NO_PROGRAM.search(why)
    if each.name not in ("app", "static") or not missing:
        return None
    advice = "the image needs Python 3.10 or newer and uWSGI; spec.python names the interpreter"
    return Cause(reason="NoPython", message=f"the image {each.image} has no {missing[1]}: {advice}")


def no_uwsgi(each: Container) -> Cause | None:
    if each.name != "app" or not _NO_UWSGI.search(each.ended.get("message", "")):
        return None
    advice = "install the package uwsgi or pyuwsgi where spec.python finds it"
    return Cause(reason="NoUwsgi", message=f"the image {each.image} has no uwsgi: {advice}")


def not_imported(each: Container) -> Cause | None:
    told = each.ended.get("message", "")
    if each.name != "app" or not _NOT_IMPORTED.search(told):
        return None
    return Cause(reason="ImportFailed", message=f"the application cannot be imported: {last_lines(told, TAIL_BYTES)}")


def out_of_memory(each: Container) -> Cause | None:
    if each.ended.get("reason") != "OOMKilled":
        return None
    again = _restarts(each)
    advice = (
        "raise spec.resources.limits.memory" if each.name == "app" else "raise its memory limit in the chart's values"
    )
    return Cause(reason="OOMKilled", message=f"container {each.name} was killed at its memory limit{again}: {advice}")


def not_started(each: Container) -> Cause | None:
    """The agent, or an init container, has said why it ended."""
    told = each.ended.get("message", "")
    if not told or not each.ended.get("exitCode"):
        return None
    reason, what = ("InitFailed", f"init container {each.name}") if each.init else ("StartFailed", "the application")
    return Cause(reason=reason, message=f"{what} did not start: {last_lines(told, TAIL_BYTES)}")


def container_error(each: Container) -> Cause | None:
    """What the container runtime says when it cannot even start the container."""
    waits = each.waiting.get("reason") in ("CreateContainerError", "RunContainerError")
    ended = each.ended.get("reason") in ("StartError", "ContainerCannotRun")
    if not waits and not ended:
        return None
    why = (each.waiting if waits else each.ended).get("message", "")
    return Cause(reason="ContainerError", message=f"container {each.name} cannot be started: {why}")


def crashed(each: Container) -> Cause | None:
    if not each.ended.get("exitCode") or not (each.init or each.waiting or each.status.get("restartCount")):
        return None
    code = each.ended["exitCode"]
    how = f"was killed by signal {code - 128}" if code > 128 else f"exited with status {code}"
    if each.init:
        return Cause(reason="InitFailed", message=f"init container {each.name} {how}{_restarts(each)}")
    return Cause(reason="Crashed", message=f"container {each.name} {how}{_restarts(each)}: see its log")


# Asked from top to bottom, the first answer wins; the more specific come first.
OF_CONTAINER: Sequence[Callable[[Container], Cause | None]] = (
    image_not_pulled,
    runs_as_root,
    reference_missing,
    no_python,
    no_uwsgi,
    out_of_memory,
    not_imported,
    container_error,
    not_started,
    crashed,
)


# --- one pod, and what makes pods


def cause_of_pod(pod: Body, *, now: datetime) -> Cause | None:
    """Why the pod is not serving; None when it is, or still may be soon."""
    if _condition(pod, "Ready").get("status") == "True":
        return None
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return Cause(
            reason="Unschedulable", message=safe(f"pod {name} fits on no node: {scheduled.get('message', '')}")
        )
    if status.get("reason") == "Evicted":
        return Cause(reason="Evicted", message=safe(f"pod {name} was evicted: {status.get('message', '')}"))
    for container in containers_of(pod):
        found = next((cause for ask in OF_CONTAINER if (cause := ask(container)) is not None), None)
        if found is not None:
            return Cause(reason=found.reason, message=safe(f"pod {name}: {found.message}"))
    return _never_ready(pod, now)


def cause_of_replica_failure(deployment: Body, replicasets: Iterable[Body]) -> Cause | None:
    """Pods that could not even be created: quota, LimitRange, Pod Security, an admission webhook."""
    for each in (*replicasets, deployment):
        failure = _condition(each, "ReplicaFailure")
        if failure.get("status") != "True":
            continue
        message = failure.get("message", "")
        kinds = (
            ("exceeded quota", "QuotaRefused"),
            ("failed quota", "QuotaRefused"),
            ("violates PodSecurity", "PodSecurityRefused"),
            ("LimitRange", "LimitRangeRefused"),
            ("usage per Container", "LimitRangeRefused"),
            ("usage per Pod", "LimitRangeRefused"),
        )
        reason = next((reason for mark, reason in kinds if mark in message), "PodRefused")
        return Cause(reason=reason, message=safe(f"pods cannot be created: {message}"))
    return None


def containers_of(pod: Body) -> list[Container]:
    """Init containers first, as they run."""
    found = []
    for init, of_spec, of_status in (
        (True, "initContainers", "initContainerStatuses"),
        (False, "containers", "containerStatuses"),
    ):
        states = {each["name"]: each for each in (pod.get("status") or {}).get(of_status) or ()}
        found += [
            Container(name=each["name"], image=each.get("image", ""), init=init, status=states.get(each["name"], {}))
            for each in pod["spec"].get(of_spec) or ()
        ]
    return found


def _never_ready(pod: Body, now: datetime) -> Cause | None:
    app = next((each for each in containers_of(pod) if each.name == "app"), None)
    since = ((app.status.get("state") or {}).get("running") or {}).get("startedAt") if app else None
    if since is None or pod["metadata"].get("deletionTimestamp"):
        return None
    if now - datetime.fromisoformat(since.replace("Z", "+00:00")) < NEVER_READY:
        return None
    what = (
        f"pod {pod['metadata']['name']} has been running for more than {NEVER_READY.seconds} s and has not answered yet"
    )
    return Cause(reason="NeverReady", message=safe(f"{what}: spec.health.path must return a status below 500"))


def _condition(body: Body, kind: str) -> Body:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {})


def _restarts(each: Container) -> str:
    count = each.status.get("restartCount", 0)
    return "" if not count else f" (restarted {count} times)" if count > 1 else " (restarted once)"
