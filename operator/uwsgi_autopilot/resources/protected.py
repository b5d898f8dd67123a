"""What of a pod belongs to the autopilot: the template must have it, and no overlay may change it."""

from collections.abc import Iterator, Mapping
from typing import Any

from uwsgi_autopilot.api.words import found
from uwsgi_autopilot.resources.labels import APP, DOMAIN, MANAGED_BY

CONTAINERS = ("app", "nginx")
INIT_CONTAINERS = ("agent", "static")
VOLUMES = ("run", "private", "agent", "desired", "promoted", "config", "static")

# Fields of each container that make it what it is, and what to write instead of changing them.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "app": {
        "image": "set spec.image",
        "command": "it is the agent's, which starts uWSGI; set spec.module and spec.uwsgi.options",
        "args": "the agent takes no further ones; set spec.uwsgi.options",
    },
    "nginx": {
        "command": "nginx reads the autopilot's configuration; set spec.nginx",
        "args": "nginx reads the autopilot's configuration; set spec.nginx",
    },
    "agent": {
        "image": "it is the operator's, chosen by the chart",
        "command": "it copies the agent; add an init container of your own",
        "args": "it copies the agent; add an init container of your own",
    },
    "static": {
        "image": "set spec.image",
        "command": "it copies the static files; set spec.nginx.static",
        "args": "it copies the static files; set spec.nginx.static",
    },
}

Problem = tuple[str, str]


def missing_pieces(template: Mapping[str, Any]) -> list[str]:
    """What a chart's pod template lacks, such as "container app"."""
    spec = template.get("spec") or {}
    needed = (
        ("container", "containers", CONTAINERS),
        ("init container", "initContainers", INIT_CONTAINERS),
        ("volume", "volumes", VOLUMES),
    )
    return [
        f"{kind} {name}"
        for kind, field, names in needed
        for name in names
        if name not in {each.get("name") for each in spec.get(field) or ()}
    ]


def objections(ours: Mapping[str, Any], overlay: Mapping[str, Any], pod: Mapping[str, Any]) -> list[Problem]:
    """(path in the overlay, sentence) for each protected thing that differs between `ours`, the pod without the
    overlay, and `pod`, the pod with it."""
    return [*_metadata(overlay), *_pod_fields(ours, pod), *_containers(ours, pod), *_volumes(ours, pod)]


def _metadata(overlay: Mapping[str, Any]) -> Iterator[Problem]:
    for field in overlay:
        if field not in ("metadata", "spec"):
            yield field, "expected metadata or spec, as in a Deployment's pod template"
    metadata = overlay.get("metadata") or {}
    for field in metadata:
        if field not in ("labels", "annotations"):
            yield (
                f"metadata.{field}",
                "expected labels or annotations: the rest of a pod's metadata is not for a template",
            )
        for key in metadata[field] or {} if isinstance(metadata[field], dict) else ():
            if key.startswith((DOMAIN, "$")) or key in (APP, MANAGED_BY):
                yield f"metadata.{field}[{key}]", "it belongs to the autopilot: choose another name"


def _pod_fields(ours: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[Problem]:
    for field in ("serviceAccountName", "serviceAccount"):
        if pod["spec"].get(field) != ours["spec"].get(field):
            yield (
                f"spec.{field}",
                f"expected {found(ours['spec'].get(field))}, the application's own: grant rights to that one",
            )


def _containers(ours: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[Problem]:
    for field in ("containers", "initContainers"):
        before, after = _by_name(ours, field), _by_name(pod, field)
        for name in FIELDS.keys() & before.keys():
            where = f"spec.{field}[{name}]"
            if name not in after:
                yield where, "it cannot be removed: every pod of the autopilot needs it"
            else:
                yield from _container(before[name], after[name], where)


def _container(before: Mapping[str, Any], after: Mapping[str, Any], where: str) -> Iterator[Problem]:
    for field, instead in FIELDS[before["name"]].items():
        if before.get(field) != after.get(field):
            yield f"{where}.{field}", f"it cannot be changed: {instead}"
    mounts = {mount["mountPath"]: mount for mount in after.get("volumeMounts") or ()}
    for mount in before.get("volumeMounts") or ():
        if mount["name"] in VOLUMES and mounts.get(mount["mountPath"]) != mount:
            yield f"{where}.volumeMounts[{mount['mountPath']}]", "it cannot be changed: the autopilot's files lie there"
    ports = {port["containerPort"]: port for port in after.get("ports") or ()}
    for port in before.get("ports") or ():
        if ports.get(port["containerPort"]) != port:
            yield (
                f"{where}.ports[{port['containerPort']}]",
                "it cannot be changed: set spec.service for the Service's port",
            )
    variables = {each["name"]: each for each in after.get("env") or ()}
    for each in before.get("env") or ():
        if each["name"].startswith("AUTOPILOT_") and variables.get(each["name"]) != each:
            yield f"{where}.env[{each['name']}]", "it belongs to the autopilot: choose another name"


def _volumes(ours: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[Problem]:
    before, after = _by_name(ours, "volumes"), _by_name(pod, "volumes")
    for name in VOLUMES:
        if after.get(name) != before[name]:
            yield f"spec.volumes[{name}]", "it cannot be changed: the autopilot's files lie there"


def _by_name(pod: Mapping[str, Any], field: str) -> dict[str, Any]:
    return {each["name"]: each for each in pod["spec"].get(field) or ()}
