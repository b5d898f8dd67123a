"""Who owns the fields of an object that was made by POST: its later applies. Pure.

Server-side apply removes a field that it no longer lists only where it owned it by an apply. What a POST wrote is
owned by an "Update" of the same manager, so an env variable that was deleted from a UwsgiApp would stay in the
Deployment forever. The cure is that of kubectl's own migration (client-go, util/csaupgrade): move these fields to
the manager's "Apply" entry. `spec.replicas` stays behind, because no apply of ours ever lists it.
"""

from copy import deepcopy
from typing import Any

Fields = dict[str, Any]
Entries = list[dict[str, Any]]


def migrated(entries: Entries, manager: str) -> Entries | None:
    """`metadata.managedFields` as it should be; None when it is so already."""
    ours = [each for each in entries if each.get("manager") == manager and not each.get("subresource")]
    updates = [each for each in ours if each["operation"] == "Update"]
    moved: Fields = {}
    left: Entries = []
    for each in updates:
        fields = deepcopy(each.get("fieldsV1", {}))
        replicas = fields.get("f:spec", {}).pop("f:replicas", None)
        if not fields.get("f:spec", {"some": 1}):
            del fields["f:spec"]
        moved = _union(moved, fields)
        if replicas is not None:
            left.append({**each, "fieldsV1": {"f:spec": {"f:replicas": replicas}}})
    if not moved:
        return None
    applied = next((each for each in ours if each["operation"] == "Apply"), None)
    base = applied or {**updates[0], "operation": "Apply"}
    entry = {**base, "fieldsV1": _union(base["fieldsV1"] if applied else {}, moved)}
    others = [each for each in entries if each not in ours]
    return [*others, *(each for each in ours if each["operation"] not in ("Apply", "Update")), entry, *left]


def _union(one: Fields, other: Fields) -> Fields:
    return {
        **one,
        **{name: _union(one.get(name, {}), fields) if isinstance(fields, dict) else fields
           for name, fields in other.items()},
    }  # fmt: skip
