"""What of a pod belongs to the autopilot: the template must have it, and no overlay may change it."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from uwsgi_autopilot.api.words import found
from uwsgi_autopilot.resources import lossless
from uwsgi_autopilot.resources.labels import APP, DOMAIN, MANAGED_BY

CONTAINERS = ("app", "nginx")
INIT_CONTAINERS = ("agent", "static")
VOLUMES = ("run", "private", "agent", "desired", "promoted", "config", "static")

# Where these are set, uWSGI or the agent reads them instead of the manifest.
VARIABLES = ("AUTOPILOT_", "UWSGI_")
ONCE = "init containers end before the others begin, and those are restarted by the pod's policy"

# Fields of each container that make it what it is, and what to write instead of changing them.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "app": {
        "image": "set spec.image",
        "command": "it is the agent's, which starts uWSGI; set spec.module and spec.uwsgi.options",
        "args": "the agent takes no other arguments; set spec.uwsgi.options",
        "restartPolicy": ONCE,
    },
    "nginx": {
        "command": "nginx reads the autopilot's configuration; set spec.nginx",
        "args": "nginx reads the autopilot's configuration; set spec.nginx",
        "restartPolicy": ONCE,
    },
    "agent": {
        "image": "it is the operator's, chosen by the chart",
        "command": "it copies the agent; add an init container of your own",
        "args": "it copies the agent; add an init container of your own",
        "restartPolicy": ONCE,
    },
    "static": {
        "image": "set spec.image",
        "command": "it copies the static files; set spec.nginx.static",
        "args": "it copies the static files; set spec.nginx.static",
        "restartPolicy": ONCE,
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
        if isinstance(metadata[field], dict):
            yield from reserved(metadata[field], f"metadata.{field}")


def reserved(names: Iterable[str], where: str) -> Iterator[Problem]:
    """Of a person's labels or annotations, those that are the autopilot's own."""
    for key in names:
        if key.startswith((DOMAIN, "$")) or key in (APP, MANAGED_BY):
            yield f"{where}[{key}]", "it belongs to the autopilot: choose another name"


def _pod_fields(ours: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[Problem]:
    for field in ("serviceAccountName", "serviceAccount"):
        if (pod.get("spec") or {}).get(field) != ours["spec"].get(field):
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
                if name in CONTAINERS:
                    yield from lossless.of_container(before[name], after[name], where)
        # Other init containers may not have a port of ours either: some of them never end.
        yield from lossless.ports_taken(_by_name(ours, "containers"), after, f"spec.{field}")


def _container(before: Mapping[str, Any], after: Mapping[str, Any], where: str) -> Iterator[Problem]:
    for field, instead in FIELDS[before["name"]].items():
        if before.get(field) != after.get(field):
            yield f"{where}.{field}", f"it cannot be changed: {instead}"
    yield from _mounts(before, after, where)
    ports = _by(after, "ports", "containerPort")
    for port in before.get("ports") or ():
        if ports.get(port["containerPort"]) != port:
            yield (
                f"{where}.ports[{port['containerPort']}]",
                "it cannot be changed: set spec.service for the Service's port",
            )
    were, are = _by(before, "env", "name"), _by(after, "env", "name")
    for name in [name for name in {**were, **are} if str(name).startswith(VARIABLES)]:
        if were.get(name) != are.get(name):
            instead = "write it under spec.uwsgi.options" if name.startswith("UWSGI_") else "choose another name"
            yield f"{where}.env[{name}]", f"it belongs to the autopilot: {instead}"


def _mounts(before: Mapping[str, Any], after: Mapping[str, Any], where: str) -> Iterator[Problem]:
    """Our mounts stay, and nothing hides them: `/run/x/` and `/run/x` are one path and two merge keys."""
    sentence = "it cannot be changed: the autopilot's files lie there"
    were, are = _by(before, "volumeMounts", "mountPath"), _by(after, "volumeMounts", "mountPath")
    ours = [path for path, mount in were.items() if mount["name"] in VOLUMES]
    for path in [path for path in ours if are.get(path) != were[path]]:
        yield f"{where}.volumeMounts[{path}]", sentence
    for path in are.keys() - were.keys():
        if f"{posixpath.normpath(path or '/')}/".startswith(tuple(f"{each}/" for each in ours)):
            yield f"{where}.volumeMounts[{path}]", sentence


def _volumes(ours: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[Problem]:
    before, after = _by_name(ours, "volumes"), _by_name(pod, "volumes")
    for name in VOLUMES:
        if after.get(name) != before[name]:
            yield f"spec.volumes[{name}]", "it cannot be changed: the autopilot's files lie there"


def _by_name(pod: Mapping[str, Any], field: str) -> dict[str, Any]:
    return _by(pod.get("spec") or {}, field, "name")


def _by(body: Mapping[str, Any], field: str, key: str) -> dict[Any, Any]:
    """An entry without its merge key is left for the API server to refuse."""
    return {each.get(key): each for each in body.get(field) or ()}
