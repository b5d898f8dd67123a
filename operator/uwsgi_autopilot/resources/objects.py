"""The objects that serve one application, from its UwsgiApp, the chart's template and the chart's skeletons: pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from uwsgi_autopilot.errors import SpecError, TemplateError
from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.configmaps import config_map
from uwsgi_autopilot.resources.merge import MergeError, merge
from uwsgi_autopilot.resources.podtemplate import drain_seconds, pod_template, start_seconds, with_config
from uwsgi_autopilot.resources.protected import reserved

Object = dict[str, Any]

# The kinds of objects that an application consists of, with their apiVersion: the one list of them.
CHILDREN: Mapping[str, str] = {
    "ServiceAccount": "v1",
    "ConfigMap": "v1",
    "Service": "v1",
    "PodDisruptionBudget": "policy/v1",
    "Deployment": "apps/v1",
}


# Fields of spec.service that a Service has by the same name.
AS_IN_A_SERVICE = (
    "externalTrafficPolicy", "internalTrafficPolicy", "ipFamilyPolicy", "ipFamilies", "sessionAffinity",
    "loadBalancerClass",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator was started with. `agent_image` holds the zipapp that is copied into pods; `allowed`: which
    privileges.PRIVILEGES an overlay may ask for."""

    agent_image: str
    allowed: frozenset[str] = frozenset()


def desired(
    app: App,
    *,
    template: Mapping[str, Any],
    skeletons: Mapping[str, str],
    settings: Settings,
) -> list[Object]:
    """Return the objects in the order in which they are to be written: what a pod needs comes before the pods.

    `template`: the chart's PodTemplate object. `skeletons`: data of the chart's ConfigMap of skeletons. The same
    arguments give the same objects. NAME-promoted is not among them: its content is not the manifest's
    (configmaps.promoted_map).

    Raises:
        SpecError: the application's own fields cannot be served; (path, sentence) for each.
        TemplateError: the chart's template or a skeleton is not usable; nothing should be changed.
    """
    if problems := list(_reserved_names(app)):
        raise SpecError(problems)
    pod = pod_template(app, template=template, agent_image=settings.agent_image, allowed=settings.allowed)
    config = config_map(app, drain_seconds=drain_seconds(pod), start_seconds=start_seconds(pod))
    pod = with_config(pod, config["metadata"]["name"])
    return [
        _object(app, "ServiceAccount") | {"automountServiceAccountToken": False},
        config,
        service(app, skeletons),
        disruption_budget(app, skeletons),
        deployment(app, skeletons, pod, template["metadata"]["name"]),
    ]


def deployment(app: App, skeletons: Mapping[str, str], pod: Mapping[str, Any], revision: str) -> Object:
    """Without replicas, always: an apply that stops sending the field would set it to 1."""
    spec = {"selector": {"matchLabels": labels.selector_labels(app.name)}, "template": pod}
    made = _object(app, "Deployment") | {"spec": spec}
    made["metadata"]["annotations"] |= {labels.TEMPLATE: revision}
    return merge_skeleton(skeletons, "deployment", made)


def service(app: App, skeletons: Mapping[str, str]) -> Object:
    asked = app.spec["service"]
    port = {**_first_port(skeleton_of(skeletons, "service")), "port": asked["port"]}
    if "nodePort" in asked:
        port["nodePort"] = asked["nodePort"]
    spec = {
        "type": asked["type"],
        "selector": labels.selector_labels(app.name),
        "ports": [{"$patch": "replace"}, port],
        **{name: asked[name] for name in AS_IN_A_SERVICE if asked.get(name)},
    }
    made = _object(app, "Service") | {"spec": spec}
    made["metadata"]["labels"] = made["metadata"]["labels"] | asked["labels"] | labels.object_labels(app.name)
    made["metadata"]["annotations"] |= asked["annotations"]
    return merge_skeleton(skeletons, "service", made)


def _first_port(skeleton: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = skeleton.get("spec") or {}
    ports = (spec.get("ports") if isinstance(spec, dict) else None) or [
        {"name": "http", "targetPort": "http", "protocol": "TCP"}
    ]
    if not isinstance(ports, list) or not isinstance(ports[0], dict):
        raise TemplateError("the chart's skeleton service must have a list of mappings at spec.ports")
    return ports[0]


def disruption_budget(app: App, skeletons: Mapping[str, str]) -> Object:
    made = _object(app, "PodDisruptionBudget")
    made["spec"] = {"selector": {"matchLabels": labels.selector_labels(app.name)}}
    return merge_skeleton(skeletons, "poddisruptionbudget", made)


def merge_skeleton(skeletons: Mapping[str, str], name: str, made: Object) -> Object:
    """What we fill in overrides the skeleton."""
    try:
        merged = merge(skeleton_of(skeletons, name), made, path=made["kind"])
    except MergeError as error:
        # The error's own sentence is about our part, which is laid over the skeleton.
        raise TemplateError(
            f"the chart's skeleton {name} is of another type at {error.path} than a {made['kind']}"
        ) from None
    return {"apiVersion": made["apiVersion"], "kind": made["kind"], **merged}


def skeleton_of(skeletons: Mapping[str, str], name: str) -> Object:
    if name not in skeletons:
        raise TemplateError(f"the chart's skeletons have no {name}")
    return _parsed(name, skeletons[name])


@lru_cache(maxsize=16)
def _parsed(name: str, text: str) -> Object:
    """Shared, and never modified: merge copies."""
    try:
        skeleton = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise TemplateError(f"the chart's skeleton {name} is not YAML: {error}") from None
    if not isinstance(skeleton, dict):
        raise TemplateError(f"the chart's skeleton {name} is not a mapping")
    return skeleton


def _reserved_names(app: App) -> Iterator[tuple[str, str]]:
    for where in ("commonMetadata", "service"):
        for field in ("labels", "annotations"):
            yield from reserved(app.spec[where][field], f"spec.{where}.{field}")


def _object(app: App, kind: str) -> Object:
    """With what the manifest wants on each of them, below what is ours."""
    common = app.spec["commonMetadata"]
    metadata = labels.metadata(app.name, app.namespace, app.uid, app.name)
    metadata["labels"] = common["labels"] | metadata["labels"]
    metadata["annotations"] = dict(common["annotations"])
    return {"apiVersion": CHILDREN[kind], "kind": kind, "metadata": metadata}
