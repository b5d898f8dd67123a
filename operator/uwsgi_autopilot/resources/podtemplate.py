"""The pod of an application: the chart's template, then the application's fields, then its overlay.

    template ◄─ image, environment, resources … of the spec ◄─ spec.template ◄─ what must not be changed (protected.py)

The chart's PodTemplate holds everything that a pod consists of; here only names, images and the application's own
values are put into it.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from uwsgi_autopilot.errors import SpecError, TemplateError
from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.configmaps import AGENT_FILE
from uwsgi_autopilot.resources.lossless import stop_delay
from uwsgi_autopilot.resources.merge import MergeError, merge
from uwsgi_autopilot.resources.overlay import problems_of, repeated_in
from uwsgi_autopilot.resources.privileges import refused
from uwsgi_autopilot.resources.protected import missing_pieces, objections
from uwsgi_autopilot.resources.staticfiles import copy_command

# The path by which the merge table knows a pod template; what an overlay's error is reported under, too.
PATH = "Deployment.spec.template"
WHERE = "spec.template"
AGENT_ZIPAPP = "/opt/uwsgi-autopilot/agent.pyz"
# Part of the grace period: what uWSGI needs beyond the longest request, and to be killed if it does not exit.
GRACE_MARGIN_SECONDS = 15
# The agent's own deadline comes this long before the kubelet's.
DEADLINE_MARGIN_SECONDS = 5


def pod_template(
    app: App, *, template: Mapping[str, Any], agent_image: str, allowed: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return the pod template, complete but for the name of its configuration (`with_config`).

    `template`: the chart's PodTemplate object. `allowed`: which privileges the overlay may ask for.

    Raises:
        TemplateError: the chart's template lacks a piece, named in the sentence.
        SpecError: spec.image is missing, or spec.template cannot be laid over the rest, changes what it must not, or
            asks for more than is allowed.
    """
    name = template["metadata"]["name"]
    if missing := missing_pieces(template.get("template") or {}):
        raise TemplateError(f"the pod template {name} has no {missing[0]}: the chart's values removed it")
    if app.image is None:
        raise SpecError([("spec.image", "expected the name of an image such as shop:1.4, found nothing")])
    ours = merge(template["template"], _own_fields(app, agent_image), path=PATH)
    pod = _overlaid(app, ours, allowed)
    return _with_grace(app, pod)


def with_config(pod: Mapping[str, Any], config_map: str) -> dict[str, Any]:
    """The same pod, reading its configuration from `config_map`."""
    volume = {"name": "config", "configMap": {"name": config_map}}
    return merge(pod, {"spec": {"volumes": [volume]}}, path=PATH)


def drain_seconds(pod: Mapping[str, Any]) -> float:
    """How long the agent may take to stop."""
    grace: float = pod["spec"]["terminationGracePeriodSeconds"]
    return grace - DEADLINE_MARGIN_SECONDS


def start_seconds(pod: Mapping[str, Any]) -> float:
    """How long the application may take to answer for the first time: what its startup probe gives it."""
    container = next(each for each in pod["spec"]["containers"] if each["name"] == "app")
    probe = container.get("startupProbe") or {}
    return float(probe.get("failureThreshold", 30) * probe.get("periodSeconds", 10))


def _own_fields(app: App, agent_image: str) -> dict[str, Any]:
    spec = app.spec
    image = {"image": app.image, "imagePullPolicy": spec["imagePullPolicy"]}
    container: dict[str, Any] = {
        "name": "app",
        **image,
        "command": [spec["python"], "-I", AGENT_ZIPAPP, AGENT_FILE],
        "args": None,
        "env": spec["env"],
        "envFrom": spec["envFrom"],
    }
    if any(spec["resources"].values()):
        container["resources"] = {"$patch": "replace", **_amounts_as_text(spec["resources"])}
    static: dict[str, Any] = {"name": "static", "$patch": "delete"}
    if app.settings.nginx.static:
        static = {"name": "static", **image, "command": copy_command(app.settings, spec["python"]), "args": None}
    return {
        "metadata": {
            "labels": spec["commonMetadata"]["labels"] | labels.object_labels(app.name),
            "annotations": spec["commonMetadata"]["annotations"],
        },
        "spec": {
            "serviceAccountName": app.name,
            "imagePullSecrets": spec["imagePullSecrets"],
            "initContainers": [{"name": "agent", "image": agent_image}, static],
            "containers": [container],
            "volumes": [{"name": "promoted", "configMap": {"name": labels.promoted_name(app.name)}}],
        },
    }


def _amounts_as_text(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The API server's field types know quantities as texts."""
    return {kind: {name: str(amount) for name, amount in amounts.items()} for kind, amounts in resources.items()}


def _overlaid(app: App, ours: dict[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    overlay = app.spec["template"]
    if not overlay:
        return ours
    problems = problems_of(overlay)
    if not problems:
        try:
            pod = merge(ours, overlay, path=PATH)
            problems = [*objections(ours, overlay, pod), *refused(ours, pod, allowed), *repeated_in(pod, PATH)]
        except MergeError as error:
            problems = [(error.path, error.sentence)]
    if problems:
        raise SpecError([(f"{WHERE}.{path}" if path else WHERE, sentence) for path, sentence in problems])
    return pod


def _with_grace(app: App, pod: dict[str, Any]) -> dict[str, Any]:
    """Time for clients to leave, for the longest request and for the shutdown; more if the overlay asks for it.

    The template's own value does not count: it cannot know the application's readTimeout.
    """
    nginx = next(each for each in pod["spec"]["containers"] if each["name"] == "nginx")
    sleep = stop_delay(nginx) or 0
    timeout = app.settings.nginx.read_timeout_s
    least = sleep + timeout + GRACE_MARGIN_SECONDS
    asked = (app.spec["template"].get("spec") or {}).get("terminationGracePeriodSeconds")
    if asked is not None and asked < least:
        why = f"{sleep} of nginx's preStop sleep, {timeout} of spec.nginx.readTimeout and {GRACE_MARGIN_SECONDS} more"
        path = f"{WHERE}.spec.terminationGracePeriodSeconds"
        raise SpecError([(path, f"expected at least {least} seconds ({why}), found {asked}")])
    result = deepcopy(pod)
    result["spec"]["terminationGracePeriodSeconds"] = least if asked is None else asked
    return result
