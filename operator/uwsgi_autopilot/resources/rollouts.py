"""When an application takes over what the chart or a newer operator says about its pods: pure.

A change of its own rolls an application out at once. A change of everybody's would roll out everything at once, so it
waits: for its turn (`turns`), for the next change of the manifest, or until somebody asks, as `spec.rollout.mode` says.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.resources.app import App

Object = dict[str, Any]
Key = TypeVar("Key")

GRADUAL, WITH_NEXT_CHANGE, MANUAL = "Gradual", "WithNextChange", "Manual"
# What the pods that an application has now were rolled out for.
MANIFEST, CHART = "Manifest", "Chart"
# So many failures are the template's fault, and not an application's.
MOST_FAILURES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a Deployment was made from, as its annotations say.

    template: name of the chart's PodTemplate. pod: hash of the whole pod template as it was written. generation: of the
    UwsgiApp; asked: value of its annotation `labels.TAKE_TEMPLATE`. rolled_for: MANIFEST or CHART. Empty and None where
    an operator that did not write these annotations has made it.
    """

    template: str = ""
    pod: str = ""
    generation: int | None = None
    asked: str = ""
    rolled_for: str = MANIFEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The objects of an application as they follow from the chart's PodTemplate `template`. pod: as in Made."""

    template: str
    objects: Sequence[Object]
    pod: str

    @classmethod
    def of(cls, template: str, objects: Sequence[Object]) -> "Rendered":
        deployment = next(each for each in objects if each["kind"] == "Deployment")
        text = json.dumps(deployment["spec"]["template"], sort_keys=True)
        return cls(template=template, objects=objects, pod=hashlib.blake2b(text.encode(), digest_size=8).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """objects: to be written now. waits: a newer pod is to be had, and is not among them. pod: hash of the pod template
    among them; empty: they have no Deployment, which stays as it is."""

    objects: Sequence[Object]
    waits: bool
    pod: str = ""


def made_from(deployment: Mapping[str, Any]) -> Made:
    found = deployment["metadata"].get("annotations") or {}
    generation = found.get(labels.GENERATION, "")
    return Made(
        template=found.get(labels.TEMPLATE, ""),
        pod=found.get(labels.POD, ""),
        generation=int(generation) if generation.isdecimal() else None,
        asked=found.get(labels.TAKEN, ""),
        rolled_for=found.get(labels.ROLLED_FOR, MANIFEST),
    )


def step(app: App, *, live: Made | None, now: Rendered, before: Rendered | None, its_turn: bool) -> Step:
    """What to write for an application.

    live: what its Deployment was made from; None: it has none. now: from the chart's PodTemplate as it is. before: from
    the one that `live` was made from; None: that is not kept. its_turn: the queue has let it go.
    """
    if live is None:
        return _written(app, now, MANIFEST)
    if live.pod == now.pod:
        return _written(app, now, live.rolled_for)
    mode = app.spec["rollout"]["mode"]
    # Of what an older operator has made nobody knows the generation.
    own = live.generation is not None and live.generation != app.generation
    if app.asked != live.asked or (its_turn and mode == GRADUAL):
        return _written(app, now, MANIFEST if own else CHART)
    same = before is not None and before.pod == live.pod
    if own and not same and (mode != MANUAL or before is None):
        return _written(app, now, MANIFEST)
    if before is not None and (same or own):
        made = replace(
            live, pod=before.pod, generation=app.generation, rolled_for=live.rolled_for if same else MANIFEST
        )
        return Step(objects=_stamped(before.objects, made), waits=True, pod=made.pod)
    # What is not kept, or what a newer operator makes of the same template, cannot be written as it was.
    return Step(objects=[each for each in now.objects if each["kind"] != "Deployment"], waits=True)


def turns(waiting: Sequence[Key], *, rolling: int, failed: int, proven: bool, most: int) -> Sequence[Key]:
    """Which applications go next, of those that wait in this order.

    rolling: how many are on their way; failed: how many are stuck, and go on trying. proven: one was brought there and
    served; before that they go one at a time. most: how many may be on their way at once.
    """
    if failed >= MOST_FAILURES:
        return ()
    width = most if proven else 1 + failed
    return waiting[: max(0, width - rolling - failed)]


def why_it_waits(mode: str, *, app: str, template: str, most: int, failed: int) -> tuple[str, str, str]:
    """Status, reason and message of the condition Progressing. failed: how many have halted the queue; 0: it moves."""
    what = f"its pods are of an earlier pod template of the chart than {template}"
    if mode == WITH_NEXT_CHANGE:
        return "False", "TemplateOutdated", f"{what}, which the next change of the manifest takes over"
    ask = f"kubectl annotate uwsgiapp {app} --overwrite {labels.TAKE_TEMPLATE}=$(date +%s)"
    if mode == MANUAL:
        return "False", "TemplateOutdated", f"{what}, which is taken over when asked for: {ask}"
    if failed:
        why = f"{failed} applications do not come up with it"
        return "False", "TemplateRolloutHalted", f"{what}; no more take that over, because {why}"
    return "True", "TemplateRolloutWaiting", f"{what}: one application takes it over, then {most} at a time"


def _written(app: App, rendered: Rendered, rolled_for: str) -> Step:
    made = Made(
        template=rendered.template,
        pod=rendered.pod,
        generation=app.generation,
        asked=app.asked,
        rolled_for=rolled_for,
    )
    return Step(objects=_stamped(rendered.objects, made), waits=False, pod=made.pod)


def _stamped(objects: Sequence[Object], made: Made) -> Sequence[Object]:
    stamps = {
        labels.TEMPLATE: made.template,
        labels.POD: made.pod,
        labels.GENERATION: str(made.generation),
        labels.TAKEN: made.asked,
        labels.ROLLED_FOR: made.rolled_for,
    }
    return [labels.annotated(each, stamps) if each["kind"] == "Deployment" else each for each in objects]
