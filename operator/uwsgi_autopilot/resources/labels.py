"""Every name, label and annotation that the objects of an application carry: written here and nowhere else."""

from collections.abc import Mapping
from typing import Any

from uwsgi_autopilot.api.uwsgiapp import API_VERSION, KIND

DOMAIN = "uwsgi-autopilot.dev/"
FIELD_MANAGER = "uwsgi-autopilot"

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "uwsgi-autopilot"
APP_NAME = "app.kubernetes.io/name"
APP = DOMAIN + "app"
"""Label: the application that an object belongs to."""

DESIRED = DOMAIN + "desired"
"""Annotation of a pod: its desired shape (api/desired.py), which the kubelet makes a file of."""
TEMPLATE = DOMAIN + "template"
"""Annotation of the Deployment: name of the chart's PodTemplate that its pods were made from."""
POD = DOMAIN + "pod"
"""Annotation of the Deployment: hash of its pod template as it was written, without what the API server fills in."""
GENERATION = DOMAIN + "generation"
"""Annotation of the Deployment: generation of the UwsgiApp that it was made from."""
ROLLED_FOR = DOMAIN + "rolled-for"
"""Annotation of the Deployment: Manifest or Chart, whichever its newest pods were rolled out for."""
TAKE_TEMPLATE = DOMAIN + "take-template"
"""Annotation of the UwsgiApp: every new value asks for the chart's newest PodTemplate at once."""
TAKEN = DOMAIN + "taken"
"""Annotation of the Deployment: the last such value."""
APPLIED = DOMAIN + "applied"
"""Annotation of each object of an application but its two ConfigMaps of shapes: a hash of what was last applied."""

# The one key of ConfigMap NAME-promoted, and so the name of the file in the pod.
PROMOTED_KEY = "desired"
# Key of ConfigMap NAME-tuning.
TUNING_KEY = "memory.json"


def config_name(app: str, content_hash: str) -> str:
    return f"{app}-config-{content_hash}"


def promoted_name(app: str) -> str:
    return f"{app}-promoted"


def tuning_name(app: str) -> str:
    return f"{app}-tuning"


def selector_labels(app: str) -> dict[str, str]:
    """What Deployment, Service and PodDisruptionBudget select by. A Deployment's selector can never be changed: nothing
    may be added here."""
    return {MANAGED_BY: MANAGER, APP: app}


def selector_text(app: str) -> str:
    """The same as one text, for a list request and for `status.selector`."""
    return ",".join(f"{name}={value}" for name, value in selector_labels(app).items())


def object_labels(app: str) -> dict[str, str]:
    """Labels of every object of an application, its pods included."""
    return {APP_NAME: app, **selector_labels(app)}


def annotated(body: dict[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    """A copy that has these annotations, too."""
    meta = body["metadata"]
    return {**body, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), **annotations}}}


def owner_reference(app: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": app,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def metadata(app: str, namespace: str, uid: str, name: str) -> dict[str, Any]:
    """Metadata of a child called `name`."""
    return {
        "name": name,
        "namespace": namespace,
        "labels": object_labels(app),
        "ownerReferences": [owner_reference(app, uid)],
    }
