"""What the command line asks of `uwsgi-autopilot operator`."""

from collections.abc import Sequence
from dataclasses import dataclass

from uwsgi_autopilot.controller.logs import LogFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """template, skeletons: names of the chart's objects in `namespace`. lease: name of the Lease there. allow:
    privileges.PRIVILEGES that an overlay may ask for. watch: namespaces; empty: the whole cluster.
    max_concurrent_rollouts: applications that may take over a change of `template` at once."""

    template: str
    skeletons: str
    namespace: str
    agent_image: str
    lease: str = "uwsgi-autopilot"
    allow: Sequence[str] = ()
    watch: Sequence[str] = ()
    max_concurrent_rollouts: int = 5
    port: int = 8080
    log_format: LogFormat = LogFormat.TEXT
