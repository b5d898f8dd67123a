"""Can this overlay be laid over a pod? Its size, the types of what the operator itself reads, what stands there twice.

All other types are left to the API server, which refuses the Deployment in its own words.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from uwsgi_autopilot.api.words import found, written
from uwsgi_autopilot.resources.merge import kind_name
from uwsgi_autopilot.resources.mergekeys import MERGE_KEYS

Path = tuple[str | int, ...]
Problem = tuple[str, str]

# The deepest field of a pod, a value of volumes[].projected.sources[].clusterTrustBundle.labelSelector, lies 12 deep.
MOST_DEEP = 32
# Chosen: the chart's own pod has about 200, and a merge of a list compares each entry with each.
MOST_VALUES = 5_000
# Of a path that is too deep to be shown in full.
KEYS_SHOWN = 4

# What tells entries apart beside the merge key, and what it is where it is not written.
_BESIDE = {"ports": ("protocol", "TCP"), "topologySpreadConstraints": ("whenUnsatisfiable", "")}

TEXT, WHOLE = "a text", "a whole number"
_PROBE = {"httpGet": {}, "periodSeconds": WHOLE, "failureThreshold": WHOLE}
_CONTAINER = {
    "name": TEXT,
    "env": [{"name": TEXT}],
    "ports": [{"name": TEXT, "containerPort": WHOLE}],
    "volumeMounts": [{"name": TEXT, "mountPath": TEXT}],
    "lifecycle": {"preStop": {"sleep": {"seconds": WHOLE}}, "stopSignal": TEXT},
    "startupProbe": _PROBE,
    "readinessProbe": _PROBE,
    "livenessProbe": _PROBE,
}
_POD: dict[str, Any] = {
    "metadata": {"labels": {}, "annotations": {}},
    "spec": {
        "containers": [_CONTAINER],
        "initContainers": [_CONTAINER],
        "volumes": [{"name": TEXT}],
        "terminationGracePeriodSeconds": WHOLE,
        "serviceAccountName": TEXT,
    },
}
# Elsewhere null removes a field; without these there is no pod.
_NEVER_NULL = frozenset(
    {"metadata", "metadata.labels", "spec", "spec.containers", "spec.initContainers", "spec.volumes"}
)


def problems_of(overlay: Mapping[str, Any]) -> list[Problem]:
    """(path in the overlay, sentence) for each thing that cannot be laid over a pod."""
    too_much = _too_much(overlay)
    return [too_much] if too_much else list(_wrong_types(overlay, _POD, ()))


def repeated_in(pod: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """(path, sentence) for each entry of a list that has the key of one before it. `path`: what the table calls a pod.

    A POST takes such a list, every later apply refuses it: the application could never change again.
    """
    return _repeated(pod, path, "")


def _repeated(value: Any, known: str, where: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _repeated(each, f"{known}.{name}", f"{where}.{name}".lstrip("."))
    elif isinstance(value, list) and (key := MERGE_KEYS.get(known)) is not None:
        beside, usual = _BESIDE.get(known.rpartition(".")[2], ("", ""))
        seen = set()
        for each in value:
            if not isinstance(each, dict):
                continue
            name = each.get(key)
            identity = repr((name, each.get(beside) or usual))
            if identity in seen:
                yield f"{where}[{name}]", f"expected each {key} once, found it twice"
            seen.add(identity)
            yield from _repeated(each, known, f"{where}[{name}]")


def _too_much(overlay: Mapping[str, Any]) -> Problem | None:
    """Without recursion: whoever calls this need not bound the depth first."""
    waiting: list[tuple[Any, Path]] = [(overlay, ())]
    values = 0
    while waiting:
        value, path = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        values += len(value)
        if values > MOST_VALUES:
            return "", f"expected at most {MOST_VALUES} values in all, found more"
        if value and len(path) >= MOST_DEEP:
            shown = written(path[:KEYS_SHOWN])
            return shown, f"expected at most {MOST_DEEP} levels of mappings and lists, found more below it"
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        waiting.extend((each, (*path, key)) for key, each in inner)
    return None


def _wrong_types(value: Any, expected: Any, path: Path) -> Iterator[Problem]:
    where = written(path)
    if value is None and path and isinstance(path[-1], str) and where not in _NEVER_NULL:
        return
    if expected == WHOLE:
        if not isinstance(value, int) or isinstance(value, bool):
            yield where, f"expected {WHOLE}, found {found(value)}"
    elif expected == TEXT:
        if not isinstance(value, str):
            yield where, f"expected {TEXT}, found {found(value)}"
    elif isinstance(expected, list):
        if not isinstance(value, list):
            yield where, f"expected a list, found {kind_name(value)}"
            return
        for number, each in enumerate(value):
            yield from _wrong_types(each, expected[0], (*path, number))
    elif not isinstance(value, dict):
        yield where, f"expected a mapping, found {kind_name(value)}"
    else:
        for key, inner in expected.items():
            if key in value:
                yield from _wrong_types(value[key], inner, (*path, key))
