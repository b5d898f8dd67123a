"""What the tests of resources/ start from: a chart's template and skeletons, and applications."""

from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from uwsgi_autopilot.api.desired import DesiredShape
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.conditions import Seen
from uwsgi_autopilot.resources.configmaps import promoted_map
from uwsgi_autopilot.resources.objects import Settings, desired
from uwsgi_autopilot.resources.status import of_objects, with_tuning
from uwsgi_autopilot.resources.tuned import TuningStatus

HERE = Path(__file__).parent
TEMPLATE: dict[str, Any] = yaml.safe_load((HERE / "template.yaml").read_text(encoding="utf-8"))
SKELETONS = {
    "deployment": """
spec:
  minReadySeconds: 5
  progressDeadlineSeconds: 600
  revisionHistoryLimit: 5
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 25%}}
""",
    "service": "spec: {ports: [{name: http, port: 80, targetPort: http, protocol: TCP, appProtocol: http}]}",
    "poddisruptionbudget": "spec: {maxUnavailable: 1, unhealthyPodEvictionPolicy: AlwaysAllow}",
}
SETTINGS = Settings(agent_image="uwsgi-autopilot:dev")


def body(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "uwsgi-autopilot.dev/v1alpha1",
        "kind": "UwsgiApp",
        "metadata": {"name": "shop", "namespace": "team", "uid": "u-1", "generation": 3, "resourceVersion": "17"},
        "spec": {"image": "shop:1.4", "module": "wsgi:app", **spec},
    }


def app(**spec: Any) -> App:
    return App.from_body(body(**spec))


def status_of(
    body: dict[str, Any], app: App | None, seen: Seen, tuning: TuningStatus, *, now: datetime
) -> dict[str, Any]:
    """The whole status, of the manifest's own generation."""
    found = of_objects(body, seen, now=now, generation=body["metadata"]["generation"])
    return with_tuning(found, body.get("status") or {}, app, tuning, now=now)


def objects(promoted: DesiredShape | None = None, *, chart: dict[str, Any] = TEMPLATE, **spec: Any) -> dict[str, Any]:
    """The objects by kind; ConfigMaps by "config" and "promoted"."""
    made = desired(app(**spec), template=chart, skeletons=SKELETONS, settings=SETTINGS)
    found = {"config" if each["kind"] == "ConfigMap" else each["kind"]: each for each in made}
    return {**found, "promoted": promoted_map(app(**spec), promoted)}


def pod_of(**spec: Any) -> dict[str, Any]:
    """The pod's spec."""
    result: dict[str, Any] = objects(**spec)["Deployment"]["spec"]["template"]["spec"]
    return result


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(each for each in items if each["name"] == name)
