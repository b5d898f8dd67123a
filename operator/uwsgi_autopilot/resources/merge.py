"""Kubernetes' strategic merge patch: lay a partial object over another as `kubectl patch` would.

    merge(template, {"spec": {"containers": [{"name": "nginx", "image": "mine"}]}}, path="Deployment.spec.template")

Maps merge field by field and null removes a field. A list that the table (mergekeys.py) knows merges entry by entry,
found by the merge key; any other list is replaced. Directives: `$patch: replace` (this map, or as an entry the whole
list, becomes what stands beside it), `$patch: delete` (this entry goes; a map becomes empty), `$retainKeys` (fields
that are not named go). A field's strategy retainKeys alone changes nothing here: it tells a client that computes a
patch to write that directive.

Results are the API server's own, the order of list entries included; tests/e2e compares them.

Source: k8s.io/apimachinery v0.34.4 pkg/util/strategicpatch/patch.go, mergeMap and mergeSlice.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from uwsgi_autopilot.api.words import found
from uwsgi_autopilot.resources.mergekeys import MERGE_KEYS

PATCH = "$patch"
RETAIN = "$retainKeys"
_REPLACED = frozenset({"PodDisruptionBudget.spec.selector"})


class MergeError(ValueError):
    """The overlay cannot be laid over the base. `path` is where in the overlay, such as spec.containers[0]."""

    def __init__(self, path: str, sentence: str) -> None:
        self.path, self.sentence = path, sentence
        super().__init__(f"{path}: {sentence}" if path else sentence)


def merge(base: Mapping[str, Any], overlay: Any, *, path: str) -> dict[str, Any]:
    """Return `overlay` laid over `base`; neither is changed.

    `path`: what they are, as the table calls it: "Deployment", "Service", "Deployment.spec.template".

    Raises MergeError.
    """
    if not isinstance(overlay, dict):
        raise MergeError("", f"expected a mapping, found {kind_name(overlay)}")
    return _merge_map(dict(base), overlay, path, "")


def _merge_map(base: dict[str, Any], overlay: dict[str, Any], known: str, where: str) -> dict[str, Any]:
    if PATCH in overlay:
        if overlay[PATCH] == "replace":
            fresh = _fresh({key: value for key, value in overlay.items() if key != PATCH}, where)
            return dict(fresh)
        if overlay[PATCH] == "delete":
            return {}
        raise MergeError(f"{where}.{PATCH}".lstrip("."), f"expected replace or delete, found {found(overlay[PATCH])}")
    merged = deepcopy(base)
    if RETAIN in overlay:
        overlay = _retain(merged, overlay, where)
    for key, value in overlay.items():
        here = f"{where}.{key}" if where else str(key)
        _refuse_directive(key, where)
        if value is None:
            merged.pop(key, None)
        elif key not in merged or merged[key] is None:
            merged[key] = _fresh(value, here)
        else:
            merged[key] = _merge_value(merged[key], value, f"{known}.{key}", here)
    return {key: value for key, value in merged.items() if value is not _NOTHING}


def _merge_value(base: Any, value: Any, known: str, where: str) -> Any:
    for kind, name in ((dict, "a mapping"), (list, "a list")):
        if isinstance(base, kind) and not isinstance(value, kind):
            raise MergeError(where, f"expected {name}, found {kind_name(value)}")
    if isinstance(base, dict):
        return deepcopy(value) if known in _REPLACED else _merge_map(base, value, known, where)
    if isinstance(base, list) and known in MERGE_KEYS:
        return _merge_list(base, value, MERGE_KEYS[known], known, where)
    if isinstance(base, list):
        return deepcopy(value)
    return _fresh(value, where)


def _retain(merged: dict[str, Any], overlay: dict[str, Any], where: str) -> dict[str, Any]:
    """Drop what `$retainKeys` does not name from `merged`; return the overlay without the directive."""
    names = overlay[RETAIN]
    rest = {key: value for key, value in overlay.items() if key != RETAIN}
    if not isinstance(names, list):
        raise MergeError(f"{where}.{RETAIN}".lstrip("."), f"expected a list of names, found {kind_name(names)}")
    if strangers := [key for key, value in rest.items() if value is not None and key not in names]:
        raise MergeError(
            f"{where}.{RETAIN}".lstrip("."), f"expected every field beside it to be named, {strangers[0]} is not"
        )
    for key in [key for key in merged if key not in names]:
        del merged[key]
    return rest


def _merge_list(base: list[Any], overlay: list[Any], key: str | None, known: str, where: str) -> list[Any]:
    if key is None:
        # Not by dict.fromkeys: an entry of a wrong type has no hash.
        items: list[Any] = []
        for item in [*base, *overlay]:
            if item not in items:
                items.append(item)
        return _ordered(items, base, overlay, lambda item: item)

    def identity(item: Any) -> Any:
        return item[key]

    for name, items in (("", base), (where, overlay)):
        for number, item in enumerate(items):
            if not isinstance(item, dict):
                raise MergeError(f"{where}[{number}]", f"expected a mapping with {key}, found {kind_name(item)}")
            if item.get(key) is None and not (item.get(PATCH) == "replace" and name):
                raise MergeError(f"{where}[{number}]", f"expected {key}, by which entries of this list are told apart")
    kept, plain, replace = deepcopy(base), [], False
    for number, item in enumerate(overlay):
        directive = item.get(PATCH)
        if directive is None:
            plain.append((number, item))
        elif directive == "delete":
            kept = [each for each in kept if each[key] != item[key]]
        elif directive == "replace":
            replace = True
        else:
            raise MergeError(f"{where}[{number}].{PATCH}", f"expected replace or delete, found {found(directive)}")
    if replace:
        return [_fresh(item, f"{where}[{number}]") for number, item in plain]
    merged = list(kept)
    for number, item in plain:
        here = f"{where}[{number}]"
        place = next((index for index, each in enumerate(merged) if each[key] == item[key]), None)
        if place is None:
            merged.append(_fresh(item, here))
        else:
            merged[place] = _merge_map(merged[place], item, known, here)
    return _ordered(merged, kept, [item for _, item in plain], identity)


def _ordered(merged: list[Any], base: list[Any], overlay: list[Any], identity: Callable[[Any], Any]) -> list[Any]:
    """Entries of the overlay in its order, the others in theirs; one of the others comes first only when both stand in
    the base in that order. So a new entry stands before those that follow, not at the end."""
    before = [identity(item) for item in base]
    asked = [identity(item) for item in overlay]
    theirs = sorted((item for item in merged if identity(item) in asked), key=lambda item: asked.index(identity(item)))
    ours = [item for item in merged if identity(item) not in asked]
    result: list[Any] = []
    while ours and theirs:
        one, other = identity(ours[0]), identity(theirs[0])
        first = other in before and before.index(one) < before.index(other)
        result.append((ours if first else theirs).pop(0))
    return result + ours + theirs


class _Nothing:
    """A new value that is nothing but a directive, such as `{$patch: delete}` for what is not there anyway."""


_NOTHING = _Nothing()


def _fresh(value: Any, where: str) -> Any:
    """A copy of a value that has no counterpart in the base: without nulls, and without what holds a directive."""
    if isinstance(value, dict):
        if PATCH in value:
            return _NOTHING
        value = {key: each for key, each in value.items() if key != RETAIN and each is not None}
        for key in value:
            _refuse_directive(key, where)
        copies = {key: _fresh(each, f"{where}.{key}") for key, each in value.items()}
        return {key: each for key, each in copies.items() if each is not _NOTHING}
    if isinstance(value, list):
        copied = [_fresh(each, f"{where}[{number}]") for number, each in enumerate(value)]
        return [each for each in copied if each is not _NOTHING]
    return value


def _refuse_directive(key: Any, where: str) -> None:
    if isinstance(key, str) and key.startswith("$"):
        raise MergeError(
            f"{where}.{key}".lstrip("."), f"expected {PATCH} or {RETAIN}: other directives are not known here"
        )


def kind_name(value: Any) -> str:
    names: tuple[tuple[Any, str], ...] = (
        (dict, "a mapping"),
        (list, "a list"),
        (bool, "a truth value"),
        (str, "a text"),
        (type(None), "null"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "a number")
