"""The two ConfigMaps that a pod of the application reads: its configuration, and the shape that it starts from."""

import hashlib
import json
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

from uwsgi_autopilot.api.agentconfig import AgentConfig
from uwsgi_autopilot.api.shape import Shape
from uwsgi_autopilot.api.uwsgiapp import TuningSpec
from uwsgi_autopilot.api.wish import Wish
from uwsgi_autopilot.resources import labels
from uwsgi_autopilot.resources.app import App
from uwsgi_autopilot.resources.nginx import nginx_conf
from uwsgi_autopilot.resources.places import Places, agent_config, nginx_site
from uwsgi_autopilot.resources.staticfiles import served_from

AGENT_PORT = 9117
NGINX_PORT = 8080
PROBES_PORT = 9118
# The mounts are spelled out in the chart's PodTemplate.
PLACES = Places(
    run="/run/uwsgi-autopilot",
    private="/run/uwsgi-autopilot-private",
    temporary="/tmp",  # noqa: S108  # an emptyDir of the nginx container alone
    wanted="/etc/uwsgi-autopilot/wanted/wanted",
    promoted="/etc/uwsgi-autopilot/promoted/wanted",
    agent_port=f"0.0.0.0:{AGENT_PORT}",
    nginx_listen=str(NGINX_PORT),
    nginx_probes=str(PROBES_PORT),
    nginx_port=NGINX_PORT,
    termination_log="/dev/termination-log",
)
AGENT_FILE = "/etc/uwsgi-autopilot/config/agent.json"
HASH_LENGTH = 10


def config_map(app: App, *, drain_seconds: float, start_seconds: float) -> dict[str, Any]:
    """Immutable, and named by its content: a pod of an earlier version keeps the configuration it was made for."""
    data = {
        "agent.json": _compact(_agent_config(app, drain_seconds, start_seconds)),
        "nginx.conf": nginx_conf(nginx_site(app.settings, PLACES, static=served_from(app.settings))),
    }
    name = labels.config_name(app.name, content_hash(data))
    return _map(app, name, data) | {"immutable": True}


def promoted_map(app: App, promoted: Wish | None) -> dict[str, Any]:
    """`promoted` None: nothing was decided yet, pods start from the manifest's shape with seq 0."""
    return _map(app, labels.promoted_name(app.name), {labels.PROMOTED_KEY: start_wish(app, promoted).to_text()})


def start_wish(app: App, promoted: Wish | None) -> Wish:
    """What a new pod starts from: the pin, else what was promoted, else the manifest's start; always in its bounds,
    because an agent refuses anything else."""
    tuning = app.settings.tuning
    if promoted is None:
        return Wish(seq=1, shape=tuning.pin) if tuning.pin else Wish(seq=0, shape=inside(tuning.start, tuning))
    shape = tuning.pin or inside(promoted.shape, tuning)
    # Another shape is another wish: pods that follow the promoted one would take the same number for done.
    return Wish(seq=promoted.seq + (shape != promoted.shape), shape=shape)


def inside(shape: Shape, tuning: TuningSpec) -> Shape:
    """`shape` moved into the bounds."""
    return Shape(tuning.processes.clamp(shape.processes), tuning.threads.clamp(shape.threads))


def content_hash(data: dict[str, str]) -> str:
    """The same texts give the same hash, whatever their order."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:HASH_LENGTH]


def _agent_config(app: App, drain_seconds: float, start_seconds: float) -> AgentConfig:
    config = agent_config(
        app.settings,
        PLACES,
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
