"""The manifest's fields: types, bounds, defaults and what `kubectl explain` says about each.

The custom resource definition is generated from these models, and local mode checks manifests with them. Whatever
concerns several fields, or needs a better message than a pattern gives, is a row of `api/rules.py`. What all models are
made of is in `fields.py`, the models below `spec.nginx` are in `nginxschema.py`; nothing in the pod imports the three.

Written so that a structural schema can be made from it: no unions except `int | string`, no free maps where a rule
reads, a maximum length for everything that a rule reads. A field with `= None` is optional and has no default.
"""

from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError

from uwsgi_autopilot.api.fields import INT32, Fields, Name, Quantity, Text
from uwsgi_autopilot.api.jsonschema import resolved
from uwsgi_autopilot.api.nginxschema import Nginx
from uwsgi_autopilot.api.serviceschema import CommonMetadata, Service
from uwsgi_autopilot.api.tuningschema import Tuning


class LocalReference(Fields):
    name: Name = Field(description="Name of an object in the same namespace.")


class EnvKey(Fields):
    name: Name = Field(description="Name of the Secret or ConfigMap.")
    key: Name = Field(description="Key in it.")
    optional: bool | None = Field(None, description="True: a pod also starts when the object or the key is missing.")


class FieldReference(Fields):
    field_path: Text = Field(description="Field of the pod, such as metadata.name or status.podIP.")
    api_version: Text | None = Field(None, description="Version of the pod's API, v1 when it is absent.")


class ResourceReference(Fields):
    resource: Text = Field(description="Resource of the container, such as limits.memory.")
    container_name: Name | None = Field(None, description="Container, this one when it is absent.")
    divisor: Quantity | None = Field(None, description="Unit of the value, such as 1Mi.")


class EnvSource(Fields):
    secret_key_ref: EnvKey | None = Field(None, description="A key of a Secret.")
    config_map_key_ref: EnvKey | None = Field(None, description="A key of a ConfigMap.")
    field_ref: FieldReference | None = Field(None, description="A field of the pod.")
    resource_field_ref: ResourceReference | None = Field(None, description="A resource of the container.")


class EnvVar(Fields):
    name: Name = Field(
        description="Name of the variable. UWSGI_ at its beginning is refused: uWSGI reads options there."
    )
    value: str | None = Field(
        None, max_length=65536, description="The value; without one, and without valueFrom, empty."
    )
    value_from: EnvSource | None = Field(None, description="Where the value comes from; not together with value.")


class EnvObject(Fields):
    name: Name = Field(description="Name of the Secret or ConfigMap.")
    optional: bool | None = Field(None, description="True: a pod also starts when the object is missing.")


class EnvFromSource(Fields):
    prefix: str | None = Field(None, max_length=253, description="Put before the name of each key.")
    secret_ref: EnvObject | None = Field(None, description="A Secret, all keys of which become variables.")
    config_map_ref: EnvObject | None = Field(None, description="A ConfigMap, all keys of which become variables.")


class ResourceAmounts(Fields):
    cpu: Quantity | None = Field(None, description='Cores: 2, "0.5" or 500m.')
    memory: Quantity | None = Field(None, description="Bytes: 512Mi or 1Gi.")


class Resources(Fields):
    requests: ResourceAmounts = Field(default_factory=ResourceAmounts, description="What the scheduler sets aside.")
    limits: ResourceAmounts = Field(
        default_factory=ResourceAmounts, description="What the application may use; the autopilot stays below it."
    )


class Health(Fields):
    path: Text = Field("/", description="Requested to see whether the application answers. An answer below 500 counts.")
    host: str = Field("", max_length=253, description="Host header of that request; empty: localhost.")


class Option(Fields):
    name: Name = Field(description="A uWSGI option without dashes in front, such as buffer-size.")
    value: str | None = Field(None, max_length=4096, description="Its value; an option without one is a flag.")


class Uwsgi(Fields):
    options: list[Option] = Field(
        default_factory=list,
        max_length=64,
        description="Lines for uWSGI's configuration, in order, repeats allowed; what the autopilot owns is refused.",
    )


class Rollout(Fields):
    mode: Literal["Gradual", "WithNextChange", "Manual"] = Field(
        "Gradual",
        description="When the application takes over a change of the chart's pod template. Gradual: in its turn, a few "
        "applications at a time. WithNextChange: with the next change of this manifest. Manual: when somebody asks.",
    )


class Spec(Fields):
    image: Text | None = Field(None, description="Image with Python 3.10 or newer, uWSGI and the application.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the node pulls the image."
    )
    image_pull_secrets: list[LocalReference] = Field(
        default_factory=list, max_length=16, description="Secrets for pulling the image."
    )
    module: Text = Field(
        description="What uWSGI loads: package.module:callable such as wsgi:app, or a file such as app.py."
    )
    chdir: Text | None = Field(None, description="Directory to start in; the image's working directory when absent.")
    python: Text = Field("python3", description="Interpreter that has uWSGI, looked up in the image's PATH.")
    replicas: int | None = Field(
        None, ge=0, le=INT32, description="Number of pods. Absent: left alone, so that an autoscaler may own it."
    )
    env: list[EnvVar] = Field(default_factory=list, max_length=256, description="Environment of the application.")
    env_from: list[EnvFromSource] = Field(
        default_factory=list, max_length=64, description="Secrets and ConfigMaps as environment."
    )
    resources: Resources = Field(default_factory=Resources, description="Resources of the application's container.")
    service: Service = Field(default_factory=Service, description="How clients reach the application.")
    common_metadata: CommonMetadata = Field(
        default_factory=CommonMetadata,
        description="Put on Deployment, pods, Service, ServiceAccount and PodDisruptionBudget of the application.",
    )
    health: Health = Field(default_factory=Health, description="How the application shows that it works.")
    uwsgi: Uwsgi = Field(default_factory=Uwsgi, description="uWSGI's own options.")
    nginx: Nginx = Field(default_factory=Nginx, description="The nginx in front of uWSGI.")
    tuning: Tuning = Field(default_factory=Tuning, description="What the autopilot may do.")
    rollout: Rollout = Field(default_factory=Rollout, description="How changes that are not its own reach it.")
    template: dict[str, Any] = Field(default_factory=dict, description="Overlay on the pod template.")


class Metadata(Fields):
    """What an API server or a person may have written there. Only the name matters here."""

    name: Name = Field(description="Name of the application.")
    namespace: Name | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    deletion_timestamp: Any = None
    finalizers: Any = None
    generate_name: Any = None
    generation: Any = None
    managed_fields: Any = None
    owner_references: Any = None
    resource_version: Any = None
    self_link: Any = None
    uid: Any = None


class Manifest(Fields):
    api_version: Literal["uwsgi-autopilot.dev/v1alpha1"]
    kind: Literal["UwsgiApp"]
    metadata: Metadata
    spec: Spec
    status: Any = None


Error = tuple[tuple[str | int, ...], str, Any]
"""(path, pydantic's name for the error, the value found there)"""


def errors_in(data: Any) -> list[Error]:
    """What pydantic objects to."""
    try:
        Manifest.model_validate(data)
    except ValidationError as error:
        return [(each["loc"], each["type"], each["input"]) for each in error.errors(include_url=False)]
    return []


def completed(data: Any, model: type[BaseModel] = Manifest) -> Any:
    """Return `data` with every default filled in and without unknown or empty fields, as CEL sees an object.

    Values of a wrong type stay as they are.
    """
    if not isinstance(data, dict):
        return data
    result: dict[str, Any] = {}
    for field in model.model_fields.values():
        value = data.get(field.alias or "")
        if value is None and not field.is_required():
            default = field.get_default(call_default_factory=True)
            value = {} if isinstance(default, BaseModel) else default
        if value is None:
            continue
        inner = next(iter(_models_in(field.annotation)), None)
        if inner and isinstance(value, list):
            value = [completed(each, inner) for each in value]
        elif inner:
            value = completed(value, inner)
        result[field.alias or ""] = value
    return result


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models_in(each)]


def json_schema() -> dict[str, Any]:
    """The models as one JSON schema, references resolved."""
    return resolved(Manifest.model_json_schema(by_alias=True))
