"""One UwsgiApp as it lies in the cluster: checked, complete, frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uwsgi_autopilot.api import schema
from uwsgi_autopilot.api.complete import app_of
from uwsgi_autopilot.api.rules import broken_rules
from uwsgi_autopilot.api.sentences import wrong_field
from uwsgi_autopilot.api.uwsgiapp import API_VERSION, KIND, UwsgiApp
from uwsgi_autopilot.api.words import written
from uwsgi_autopilot.errors import SpecError
from uwsgi_autopilot.resources.labels import TAKE_TEMPLATE

_SCHEMA = schema.json_schema()
# pydantic's name for it.
UNKNOWN_FIELD = "extra_forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """`spec`: as it is written, with every default filled in. `settings`: the same, parsed, without what has a meaning
    on a cluster only. asked: value of its annotation `labels.TAKE_TEMPLATE`. unknown: paths of fields
    that have no meaning to this operator."""

    name: str
    namespace: str
    uid: str
    generation: int
    asked: str
    unknown: tuple[str, ...]
    spec: Mapping[str, Any]
    settings: UwsgiApp

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "App":
        """Read what the API server gives.

        Raises SpecError for what the CRD should have refused: an object can be older than the CRD, and a CRD can be
        edited. A field that nobody here knows is `unknown` and no error: the CRD of a newer version knows it, and may
        have filled it in.
        """
        metadata = body["metadata"]
        data = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": metadata["name"]},
            "spec": body.get("spec", {}),
        }
        complete = schema.completed(data)
        errors = schema.errors_in(data)
        if problems := _problems_in(errors, complete):
            raise SpecError(problems)
        return cls(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            asked=(metadata.get("annotations") or {}).get(TAKE_TEMPLATE, ""),
            unknown=tuple(written(path) for path, name, _ in errors if name == UNKNOWN_FIELD),
            spec=complete["spec"],
            settings=app_of(complete, ignored=()),
        )

    @property
    def image(self) -> str | None:
        """None: a manifest of local mode, which no cluster can run."""
        return self.settings.image

    @property
    def replicas(self) -> int | None:
        """None: nobody asked for a number; another owner, such as an autoscaler, may hold it."""
        return self.spec.get("replicas")


def _problems_in(errors: Sequence[schema.Error], complete: dict[str, Any]) -> list[tuple[str, str]]:
    known = [each for each in errors if each[1] != UNKNOWN_FIELD]
    ill_formed = frozenset(path for path, _, _ in known)
    wrong = [(path, wrong_field(_SCHEMA, path, name, value, None)) for path, name, value in known]
    return [(written(path), sentence) for path, sentence in wrong + broken_rules(complete, ill_formed)]
