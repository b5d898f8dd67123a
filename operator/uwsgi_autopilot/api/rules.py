"""The manifest's rules beyond types and bounds: the form of single fields, and how fields must fit together.

One row each (`api/rule.py`). The custom resource definition's CEL and local mode's checks come from the same rows, so a
cluster accepts every application that runs on one machine. Like CEL, the predicates here see an object that is valid
by its schema and has its defaults.
"""

import re
from typing import Any

from uwsgi_autopilot.api.checks import (
    IS_QUANTITY,
    QUANTITY,
    amount_of,
    bounds_in_order,
    connections_allow,
    exactly_one,
    is_memory,
    is_quantity,
    looks_like,
    looks_not_like,
    of_service,
    refused_options,
    request_within_limit,
    shape_inside,
)
from uwsgi_autopilot.api.nginxrules import NGINX_RULES, RESERVED
from uwsgi_autopilot.api.rule import Path, Rule, Unique, keys_of, values_at

# Names such as NAME-promoted are made from it, and a pod's name adds 17 characters; a label holds 63.
MAX_NAME = 52

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_DOTTED = rf"{_IDENTIFIER}(?:[.]{_IDENTIFIER})*"
_CALLABLE = rf"(?::{_DOTTED}(?:[(][)])?)?"


RULES: tuple[Rule | Unique, ...] = (
    Rule(
        path="",
        about="metadata.name",
        cel="self.metadata.name.matches(r'^[a-z](?:[-a-z0-9]*[a-z0-9])?$')",
        holds=lambda value: re.fullmatch("[a-z](?:[-a-z0-9]*[a-z0-9])?", value["metadata"]["name"]) is not None,
        message="expected lower-case letters, digits and dashes, a letter first and no dash last",
        reads=("metadata.name",),
    ),
    Rule(
        path="",
        about="metadata.name",
        cel=f"size(self.metadata.name) <= {MAX_NAME}",
        holds=lambda value: len(value["metadata"]["name"]) <= MAX_NAME,
        message=f"expected at most {MAX_NAME} characters, so that the names made of it fit",
        reads=("metadata.name",),
    ),
    looks_like("spec.image", "[!-~]+", "expected the name of an image such as shop:1.4, without spaces"),
    looks_like(
        "spec.module",
        rf"{_DOTTED}{_CALLABLE}|[A-Za-z0-9_./-]+[.](?:py|wsgi)(?::{_IDENTIFIER})?",
        "expected package.module:callable such as wsgi:app, or a file such as app.py or app.wsgi",
    ),
    looks_like("spec.chdir", r"/[^\x00-\x1f\x7f]*", "expected an absolute path such as /app"),
    looks_like("spec.python", "[!-~]+", "expected a program such as python3 or /venv/bin/python, without spaces"),
    # These two are maps to every later apply: it refuses what a POST took.
    Unique(path="spec.imagePullSecrets", cel=None, key="name"),
    Unique(path="spec.env", cel=None, key="name"),
    looks_like(
        "spec.env[].name",
        "[-._a-zA-Z][-._a-zA-Z0-9]*",
        "expected the name of a variable: letters, digits, _ - and ., no digit first",
    ),
    looks_not_like(
        "spec.env[].name",
        r"UWSGI_(?s:.*)",
        "uWSGI reads variables that begin with UWSGI_ as options: write it under spec.uwsgi.options",
    ),
    looks_not_like(
        "spec.env[].name",
        r"AUTOPILOT_(?s:.*)",
        "names that begin with AUTOPILOT_ belong to the autopilot: take another one",
    ),
    Rule(
        path="spec.env[]",
        cel="!has(self.value) || !has(self.valueFrom)",
        holds=lambda value: "value" not in value or "valueFrom" not in value,
        message="expected value or valueFrom, found both",
        reads=("value", "valueFrom"),
    ),
    Rule(
        path="spec.env[]",
        about="value",
        cel=r"!has(self.value) || !self.value.contains('\u0000')",
        holds=lambda value: "\0" not in value.get("value", ""),
        message="a zero byte stands in it, which no environment can hold",
        reads=("value",),
    ),
    exactly_one("spec.env[].valueFrom", "secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"),
    exactly_one("spec.envFrom[]", "secretRef", "configMapRef"),
    is_quantity("spec.resources.requests.cpu", "500m or 2"),
    is_quantity("spec.resources.requests.memory", "512Mi or 1Gi"),
    is_memory("spec.resources.requests.memory", zero=True),
    is_quantity("spec.resources.limits.cpu", "500m or 2"),
    Rule(
        path="spec.resources.limits.cpu",
        cel=f"!{IS_QUANTITY} || {QUANTITY}.compareTo(quantity('0')) != 0",
        holds=lambda value: amount_of(value) != 0,
        message="expected more than no CPU at all; leave the limit out for none",
    ),
    is_quantity("spec.resources.limits.memory", "512Mi or 1Gi"),
    is_memory("spec.resources.limits.memory", zero=False),
    request_within_limit("cpu"),
    request_within_limit("memory"),
    of_service(
        "nodePort",
        "!= 'ClusterIP'",
        lambda kind: kind != "ClusterIP",
        "nodePort: set spec.service.type to NodePort or LoadBalancer",
    ),
    of_service(
        "externalTrafficPolicy",
        "!= 'ClusterIP'",
        lambda kind: kind != "ClusterIP",
        "clients from outside: set spec.service.type to another one",
    ),
    of_service(
        "loadBalancerClass",
        "== 'LoadBalancer'",
        lambda kind: kind == "LoadBalancer",
        "load balancer: set spec.service.type to LoadBalancer",
    ),
    looks_like(
        "spec.health.path",
        "/[A-Za-z0-9._~:/?@&+,=%-]*",
        "expected a path that begins with / and holds no spaces (%20 for one)",
    ),
    looks_not_like(
        "spec.health.path", f"{RESERVED}(?:[/?].*)?", f"expected a path of the application, not {RESERVED}/"
    ),
    looks_like(
        "spec.health.host",
        r"[A-Za-z0-9._-]*(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?",
        "expected a host such as shop.example.com",
    ),
    *refused_options(),
    looks_like(
        "spec.uwsgi.options[].value",
        r"[^\r\n\x00]*",
        "expected one line; write an option again for each further value",
    ),
    *NGINX_RULES,
    bounds_in_order("processes"),
    bounds_in_order("threads"),
    *(
        shape_inside(shape, dimension, bound)
        for shape in ("start", "pin")
        for dimension in ("processes", "threads")
        for bound in ("min", "max")
    ),
    connections_allow("pin"),
    Rule(
        path="spec.tuning",
        about="maxConnections",
        cel="!has(self.maxConnections) || !has(self.connectionsPerProcess)"
        " || self.connectionsPerProcess <= self.maxConnections",
        holds=lambda value: (
            "maxConnections" not in value or value.get("connectionsPerProcess", 0) <= value["maxConnections"]
        ),
        message="{maxConnections} does not allow one process:"
        " it opens {connectionsPerProcess} (spec.tuning.connectionsPerProcess)",
        reads=("maxConnections", "connectionsPerProcess"),
    ),
)


def broken_rules(data: Any, ill_formed: frozenset[Path]) -> list[tuple[Path, str]]:
    """Return (path, sentence) for each rule that `data` breaks.

    `data` has every default filled in. `ill_formed`: paths whose value has the wrong type; rules that read one of
    them, or a part of it, are skipped.
    """
    problems: list[tuple[Path, str]] = []
    for rule in RULES:
        for path, value in values_at(data, rule.path):
            reads = [path + keys_of(each) for each in rule.reads] or [path]
            if not any(_overlap(bad, read) for bad in ill_formed for read in reads):
                problems += [(path + below, sentence) for below, sentence in rule.objections(value)]
    return problems


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
