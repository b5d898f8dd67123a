"""A namespace of one test: it makes applications, waits for what a user would wait for, and tells all when it fails.

Every namespace enforces Pod Security `restricted`: each test shows that the chart's pods keep to it.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.cluster import Cluster
from uwsgi_autopilot.resources.labels import DESIRED

Body = dict[str, Any]
IMAGE = "uwsgi-autopilot-app:dev"
# Of the cluster's one mapped port, see kind-config.yaml.
NODE_PORT = 30088
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
URL = "http://127.0.0.1:8088"


def until(what: str, check: Callable[[], Any], seconds: float = 120.0, every: float = 1.0) -> Any:
    """The first true answer of `check`. An AssertionError says what never came, and what came instead."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(every)


def metric(page: str, name: str) -> float:
    """The sum over all labels."""
    rows = [line.rsplit(" ", 1) for line in page.splitlines() if re.match(rf"{name}[{{ ]", line)]
    assert rows, f"{name} is not in the page"
    return sum(float(value) for _, value in rows)


class Place:
    """`front`: its application is at localhost:8088, which only one can be at a time."""

    def __init__(self, cluster: Cluster, name: str, *, front: bool = False) -> None:
        self._cluster = cluster
        self._service = {"type": "NodePort", "nodePort": NODE_PORT} if front else {"type": "ClusterIP"}
        self.name = name

    @classmethod
    def fresh(cls, cluster: Cluster, name: str, *, front: bool = False) -> "Place":
        """Whatever an earlier run has left of that name is gone, and of the port too."""
        cluster.kubectl("delete", "namespace", name, "--ignore-not-found")
        place = cls(cluster, name, front=front)
        if front:
            holder = place._holder_of_port()
            until(
                f"node port {NODE_PORT} is free (delete what has it: {holder})", lambda: not place._holder_of_port(), 60
            )
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("label", "namespace", name, RESTRICTED)
        return place

    def remove(self) -> None:
        """Without waiting for the pods, which take their time to drain; the port is free at once."""
        self.kubectl("delete", "uwsgiapps", "--all")
        self.kubectl("delete", "services", "--all")
        self._cluster.kubectl("delete", "namespace", self.name, "--wait=false")

    def _holder_of_port(self) -> str:
        services = self._cluster.json("get", "services", "--all-namespaces")["items"]
        found = (
            f"{each['metadata']['namespace']}/{each['metadata']['name']}"
            for each in services
            if any(port.get("nodePort") == NODE_PORT for port in each["spec"].get("ports", ()))
        )
        return next(found, "")

    def kubectl(self, *args: str, input: str | None = None) -> str:
        return self._cluster.kubectl("--namespace", self.name, *args, input=input)

    def on_node(self, node: str, command: str) -> str:
        return self._cluster.on_node(node, command)

    def json(self, *args: str) -> Body:
        data: Body = json.loads(self.kubectl("get", *args, "--output=json"))
        return data

    def items(self, *args: str) -> list[Body]:
        found: list[Body] = self.json(*args)["items"]
        return found

    # --- applications

    def apply(self, body: Body | str) -> None:
        self.kubectl("apply", "--filename=-", input=body if isinstance(body, str) else json.dumps(body))

    def make(self, name: str = "shop", *, wait: bool = True, **spec: Any) -> None:
        """A UwsgiApp of the example's image, 2 pods of 50m CPU each unless `spec` says else."""
        full = {
            "image": IMAGE,
            "module": "wsgi:app",
            "replicas": 2,
            "service": self._service,
            "health": {"path": "/healthz"},
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
            **spec,
        }
        self.apply(
            {"apiVersion": "uwsgi-autopilot.dev/v1alpha1", "kind": "UwsgiApp", "metadata": {"name": name}, "spec": full}
        )
        if wait:
            self.ready(name)

    def fetch(self, path: str, name: str = "shop") -> str:
        """What the application answers inside of the cluster; through the API server."""
        return self.kubectl("get", "--raw", f"/api/v1/namespaces/{self.name}/services/{name}:80/proxy{path}")

    def change(self, patch: Body, name: str = "shop") -> None:
        self.kubectl("patch", "uwsgiapp", name, "--type=merge", f"--patch={json.dumps({'spec': patch})}")

    def app(self, name: str = "shop") -> Body:
        return self.json("uwsgiapp", name)

    def condition(self, kind: str, name: str = "shop") -> Body:
        """Of the newest generation; {} as long as there is none."""
        body = self.app(name)
        found: list[Body] = body.get("status", {}).get("conditions", [])
        now = body["metadata"]["generation"]
        return next((each for each in found if each["type"] == kind and each["observedGeneration"] == now), {})

    def ready(self, name: str = "shop", seconds: float = 120.0) -> None:
        until(f"{name} is Ready", lambda: self.condition("Ready", name).get("status") == "True", seconds)

    def shape(self, name: str = "shop") -> str:
        """What the status says that serves, such as 2x4; empty when it says nothing."""
        shape = self.app(name).get("status", {}).get("shape")
        return f"{shape['processes']}x{shape['threads']}" if shape else ""

    def decisions(self, name: str = "shop") -> list[Body]:
        found: list[Body] = self.app(name).get("status", {}).get("decisions", [])
        return found

    # --- pods

    def pods(self, name: str = "shop") -> list[Body]:
        return [
            pod
            for pod in self.items("pods", f"--selector=uwsgi-autopilot.dev/app={name}")
            if "deletionTimestamp" not in pod["metadata"]
        ]

    def desired(self, name: str = "shop") -> list[Body]:
        """The desired shape of each pod, as an operator wrote it; {} where none was written."""
        return [json.loads(each["metadata"].get("annotations", {}).get(DESIRED, "{}")) for each in self.pods(name)]

    def restarts(self) -> int:
        return sum(
            each["restartCount"] for pod in self.items("pods") for each in pod["status"].get("containerStatuses", ())
        )

    def agent(self, pod: str) -> Body:
        """What the pod's agent says, through the API server."""
        path = f"/api/v1/namespaces/{self.name}/pods/{pod}:9117/proxy/v1/state?since=999999999"
        data: Body = json.loads(self._cluster.kubectl("get", "--raw", path))
        return data

    def agent_usage(self, pod: str) -> tuple[float, float]:
        """Of the agent, the container's first process: CPU seconds since its start, proportional set size in MiB."""
        path = f"/api/v1/namespaces/{self.name}/pods/{pod}:9117/proxy/metrics"
        page = self._cluster.kubectl("get", "--raw", path)
        memory = self.kubectl("exec", pod, "--container=app", "--", "grep", "^Pss:", "/proc/1/smaps_rollup")
        return metric(page, "uwsgi_autopilot_agent_cpu_seconds_total"), int(memory.split()[1]) / 1024

    def shapes(self, name: str = "shop") -> list[str]:
        """Of each pod, by its agent."""
        told = [self.agent(pod["metadata"]["name"])["shape"] for pod in self.pods(name)]
        return sorted(f"{each['processes']}x{each['threads']}" for each in told if each)

    # --- when a test fails

    def report(self) -> str:
        """Pods, Events, last decisions and logs: what one would look at."""
        commands: list[tuple[str, ...]] = [
            ("get", "uwsgiapps,deployments,replicasets,pods", "--output=wide"),
            ("get", "events", "--sort-by=.lastTimestamp"),
            ("get", "uwsgiapps", "--output=jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}"
             "{range .status.conditions[*]}  {.type}={.status} {.reason}: {.message}{\"\\n\"}{end}"
             "{range .status.decisions[*]}  {.time} {.kind} {.reason}: {.message}{\"\\n\"}{end}{end}"),
        ]  # fmt: skip
        for pod in self.items("pods"):
            name = pod["metadata"]["name"]
            commands.append(("logs", name, "--all-containers", "--prefix", "--tail=25", "--ignore-errors"))
        parts = []
        for command in commands:
            try:
                text = self.kubectl(*command)
            except AssertionError as error:
                text = str(error)
            parts.append(f"$ kubectl -n {self.name} {' '.join(command)[:80]}\n{text[-6000:]}")
        return "\n".join(parts)
