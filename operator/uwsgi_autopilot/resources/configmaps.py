"""The two ConfigMaps that a pod of the application reads: its configuration, and the shape that it starts from."""

import hashlib
import json
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

from uwsgi_autopilot.api.agentconfig import AGENT_PORT, AgentConfig
from uwsgi_autopilot.api.desired import UNVERSIONED, DesiredShape
from uwsgi_autopilot.api.nginxspec import AccessLog
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.layout import Layout, agent_config, nginx_site
from uwsgi_autopilot.resources.nginx import nginx_conf
from uwsgi_autopilot.resources.staticfiles import mounted, served_from

NGINX_PORT = 8080
PROBES_PORT = 9118
# The mounts are spelled out in the chart's PodTemplate.
IN_POD = Layout(
    run="/run/uwsgi-autopilot",
    private="/run/uwsgi-autopilot-private",
    temporary="/tmp",  # noqa: S108  # an emptyDir of the nginx container alone
    desired="/etc/uwsgi-autopilot/desired/desired",
    promoted="/etc/uwsgi-autopilot/promoted/desired",
    agent_port=f"[::]:{AGENT_PORT}",
    nginx_listen=str(NGINX_PORT),
    nginx_probes=str(PROBES_PORT),
    nginx_port=NGINX_PORT,
    termination_log="/dev/termination-log",
    more_listens="/tmp",  # noqa: S108  # written by the init container, before nginx
)
AGENT_FILE = "/etc/uwsgi-autopilot/config/agent.json"
HASH_LENGTH = 10


def config_map(app: App, *, drain_seconds: float, start_seconds: float) -> dict[str, Any]:
    """Immutable, and named by its content: a pod of an earlier version keeps the configuration it was made for."""
    data = {
        "agent.json": _compact(_agent_config(app, drain_seconds, start_seconds)),
        "nginx.conf": nginx_conf(
            nginx_site(
                app.settings,
                IN_POD,
                static=served_from(app.settings),
                internal=mounted(app.settings),
                access_log=AccessLog.COMBINED,
            )
        ),
    }
    name = labels.config_name(app.name, content_hash(data))
    return _map(app, name, data) | {"immutable": True}


def promoted_map(app: App, promoted: DesiredShape | None = None) -> dict[str, Any]:
    """What a new pod starts from. `promoted` None: nothing was promoted yet, pods start with the manifest's own shape.

    Made once; from then on whoever promotes a shape writes it.
    """
    desired = promoted or DesiredShape(version=UNVERSIONED, shape=app.settings.tuning.first)
    return _map(app, labels.promoted_name(app.name), {labels.PROMOTED_KEY: desired.to_text()})


def content_hash(data: dict[str, str]) -> str:
    """The same texts give the same hash, whatever their order."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:HASH_LENGTH]


def _agent_config(app: App, drain_seconds: float, start_seconds: float) -> AgentConfig:
    config = agent_config(
        app.settings,
        IN_POD,
        uwsgi=["uwsgi"],
        chdir=app.settings.chdir or ".",
        # For a promoted ConfigMap that holds nonsense. The manifest's own lies there: editing it restarts no pod.
        start=Shape(1, 1),
        drain_seconds=drain_seconds,
    )
    return replace(config, start_seconds=start_seconds)


def _compact(config: AgentConfig) -> str:
    """Without the fields that have their default, so that a field that a later operator adds changes no hash."""
    data = asdict(config) | {"start": config.start.to_json()}
    told = {each.name: data[each.name] for each in fields(config) if data[each.name] != _default_of(each)}
    return json.dumps(told, indent=1, sort_keys=True)


def _default_of(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _map(app: App, name: str, data: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": labels.metadata(app.name, app.namespace, app.uid, name),
        "data": data,
    }
