"""The custom resource definition, made from the manifest's models (`schema.py`) and rules (`rules.py`): pure.

What a person may write is defined once: types, bounds and descriptions by the models, cross-field rules by the rows,
both also used by local mode. Only the status and the printer columns, which nobody writes by hand, are spelt out here
and in `statusschema.py`.
"""

from typing import Any

import yaml

from uwsgi_autopilot.api import schema
from uwsgi_autopilot.api.rule import Rule, Unique, keys_of
from uwsgi_autopilot.api.rules import RULES
from uwsgi_autopilot.api.statusschema import STATUS
from uwsgi_autopilot.api.uwsgiapp import API_VERSION, KIND

PLURAL = "uwsgiapps"
GROUP, VERSION = API_VERSION.split("/")
NAME = f"{PLURAL}.{GROUP}"
HEADER = f"# Written by `uwsgi-autopilot crd print > chart/crds/{PLURAL}.yaml`: change api/schema.py or api/rules.py.\n"

# For Argo CD, which applies what lies in crds/ as its own: with the definition every application would go.
KEPT = "Prune=false,Delete=false"

# (heading, what `kubectl get uapp` shows there, type)
COLUMNS = (
    ("Ready", ".status.display.ready", "string"),
    ("Shape", ".status.display.shape", "string"),
    ("Desired", ".status.display.desired", "string"),
    ("RPS", ".status.display.rps", "string"),
    ("P99", ".status.display.p99", "string"),
    ("Mode", ".spec.tuning.mode", "string"),
    ("Age", ".metadata.creationTimestamp", "date"),
)
# What `kubectl get -o wide` shows too: the reasons of two conditions.
WIDE = (
    ("Served", '.status.conditions[?(@.type=="Ready")].reason', "string"),
    ("Tuned", '.status.conditions[?(@.type=="Tuned")].reason', "string"),
)

# What pydantic writes, but a structural schema does not know or expects in another form.
_DROPPED = ("title", "default", "const", "additionalProperties", "properties", "items", "required")

Schema = dict[str, Any]


def crd() -> Schema:
    """The CustomResourceDefinition, as the API server accepts it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "annotations": {"argocd.argoproj.io/sync-options": KEPT}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["uapp"],
                "categories": ["all"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        *({"name": name, "type": kind, "jsonPath": path} for name, path, kind in COLUMNS),
                        *({"name": name, "type": kind, "jsonPath": path, "priority": 1} for name, path, kind in WIDE),
                    ],
                    "schema": {"openAPIV3Schema": _openapi()},
                }
            ],
        },
    }


def crd_text() -> str:
    """The definition as YAML, as it is committed in the chart."""
    return HEADER + str(yaml.safe_dump(crd(), sort_keys=False, width=120, allow_unicode=True))


def _openapi() -> Schema:
    fields = schema.json_schema()["properties"]
    root: Schema = {
        "type": "object",
        "description": "A web application on uWSGI behind nginx that finds its processes and threads by itself.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            # The API server checks an object's name itself, except for what our rules point at.
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": {"description": "What is wanted.", **_structural(fields["spec"])},
            "status": STATUS,
        },
    }
    for rule in RULES:
        _add(root, rule)
    return root


def _structural(node: Schema) -> Schema:
    """`node` of pydantic's JSON schema as part of a structural schema, with the defaults that nested ones require."""
    result = {key: value for key, value in node.items() if key not in _DROPPED}
    if node.get("default") is not None:
        result["default"] = node["default"]
    if "properties" in node:
        result["properties"] = {name: _structural(inner) for name, inner in node["properties"].items()}
        if "required" in node:
            result["required"] = node["required"]
        for name, inner in node["properties"].items():
            # pydantic writes no default for a model that is made when it is absent, and `null` for an optional field.
            absent_is_empty = name not in node.get("required", ()) and "default" not in inner
            if absent_is_empty and _has_defaults(result["properties"][name]):
                result["properties"][name]["default"] = {}
    elif isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = _structural(node["additionalProperties"])
    elif node.get("type") == "object":
        result["x-kubernetes-preserve-unknown-fields"] = True
    if "items" in node:
        result["items"] = _structural(node["items"])
    return result


def _has_defaults(node: Schema) -> bool:
    return any("default" in inner or _has_defaults(inner) for inner in node.get("properties", {}).values())


def _add(root: Schema, rule: Rule | Unique) -> None:
    """Hang `rule` on the field that it speaks about."""
    node = root
    for key in rule.path.replace("[]", ".[]").split(".") if rule.path else ():
        node = node["items"] if key == "[]" else node["properties"][key]
    if rule.cel is None:
        node |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [rule.key]}  # type: ignore[union-attr]
    else:
        node.setdefault("x-kubernetes-validations", []).append(_validation(rule))


def _validation(rule: Rule | Unique) -> Schema:
    if isinstance(rule, Unique):
        return {"rule": rule.cel, "message": f"expected each {rule.key} once"}
    row: Schema = {"rule": rule.cel, "message": rule.plain_message()}
    if expression := rule.message_expression():
        row["messageExpression"] = expression
    if rule.about:
        row["fieldPath"] = "".join(f".{key}" for key in keys_of(rule.about))
    return row
