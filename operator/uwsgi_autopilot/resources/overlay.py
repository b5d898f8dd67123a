"""Can this overlay be laid over a pod? Its size, and the types of what the operator itself reads of it.

All other types are left to the API server, which refuses the Deployment in its own words.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from uwsgi_autopilot.api.words import found, written
from uwsgi_autopilot.resources.merge import kind_name

Path = tuple[str | int, ...]
Problem = tuple[str, str]

# The deepest field of a pod, a value of volumes[].projected.sources[].clusterTrustBundle.labelSelector, lies 12 deep.
MOST_DEEP = 32
# Chosen: the chart's own pod has about 200, and a merge of a list compares each entry with each.
MOST_VALUES = 5_000
# Of a path that is too deep to be shown in full.
KEYS_SHOWN = 4

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
