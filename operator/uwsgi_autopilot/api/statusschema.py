"""The schema of `status`, as `kubectl explain uwsgiapp.status` shows it. Only the operator writes a status."""

from typing import Any

Schema = dict[str, Any]


def _text(description: str, longest: int) -> Schema:
    return {"type": "string", "description": description, "maxLength": longest}


def _number(description: str) -> Schema:
    return {"type": "integer", "format": "int64", "description": description}


def _object(description: str, properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    result: Schema = {"type": "object", "description": description, "properties": properties}
    return result | ({"required": list(required)} if required else {})


def _shape(description: str, **more: Schema) -> Schema:
    sides = {"processes": _number("Live uWSGI workers."), "threads": _number("Threads of each worker.")}
    return _object(description, {**sides, **more}, required=("processes", "threads"))


_CONDITION = _object(
    "Available: clients are served. Ready: this generation is rolled out and available. Progressing: a rollout runs, "
    "waits or is stuck. Tuned: the shape is found.",
    {
        "type": _text("Available, Ready, Progressing or Tuned.", 316),
        "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it is so."},
        "observedGeneration": _number("Generation of the manifest that it speaks about."),
        "lastTransitionTime": {
            "type": "string",
            "format": "date-time",
            "description": "When the status last changed.",
        },
        "reason": _text("One word for machines, stable once released.", 1024),
        "message": _text("A sentence with numbers: what is seen, and what to do about it.", 32768),
    },
    required=("type", "status", "lastTransitionTime", "reason", "message"),
)

_DECISION = _object(
    "What the autopilot decided, and why.",
    {
        "time": {"type": "string", "format": "date-time", "description": "When."},
        "kind": _text("try, change, refuse, recommend, and what became of a trial: promote, back, undecided.", 63),
        "from": _shape("The shape before."),
        "to": _shape("The shape that was chosen."),
        "reason": _text("One word for machines, stable once released.", 253),
        "message": _text("A sentence with the numbers it was decided on.", 256),
    },
    required=("time", "reason"),
)

STATUS: Schema = _object(
    "What is so, as the operator sees it. Figures are at most a minute old while they hardly change.",
    {
        "observedGeneration": _number("Generation of the manifest that was last worked on."),
        "replicas": _number("Pods that exist."),
        "readyReplicas": _number("Pods that serve clients."),
        "selector": _text("Label selector of the pods, for kubectl scale and autoscalers.", 1024),
        "shape": _shape("The shape that the pods have."),
        "desired": _shape(
            "The shape that the pods are to have.",
            epoch=_number("First part of its version."),
            seq=_number("Second part of its version; it grows with each desired shape that is given out."),
        ),
        "recommendation": _object(
            "Mode Recommend: what the autopilot would change.",
            {
                "shape": _shape("The shape that it would choose."),
                "gain": _text("What that would bring, such as +35 %.", 63),
                "reason": _text("One word for machines.", 253),
                "message": _text("Why, with numbers.", 256),
            },
        ),
        "display": _object(
            "The columns of kubectl get.",
            {
                "ready": _text("Ready pods of all, such as 3/3.", 63),
                "shape": _text("Processes and threads, such as 4x16.", 63),
                "desired": _text("The shape that the pods are to have, when it is another.", 63),
                "rps": _text("Requests a second, all pods together.", 63),
                "p99": _text("Time that 99 of 100 requests stay below, the worst pod's.", 63),
            },
        ),
        "decisions": {
            "type": "array",
            "description": "The last decisions, newest last.",
            "maxItems": 10,
            "items": _DECISION,
            "x-kubernetes-list-type": "atomic",
        },
        "templateRevision": _text("The chart's pod template that the pods are made of.", 253),
        "conditions": {
            "type": "array",
            "description": "Available, Ready, Progressing and Tuned.",
            "maxItems": 16,
            "items": _CONDITION,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    },
)
