"""The chart in the cluster: installed as the README says, or brought up to date where it is installed already."""

import json
from pathlib import Path

from tests.e2e.cluster import Cluster
from tests.e2e.place import Body, Place, until

ROOT = Path(__file__).parents[2]
NAME = "uwsgi-autopilot"
REPLICAS = 2


class Release:
    """`name`, `namespace`: where it is. The operator's Deployment is called as the release is."""

    def __init__(self, cluster: Cluster, name: str, namespace: str) -> None:
        self.name = name
        self.cluster = cluster
        self.place = Place(cluster, namespace)

    @classmethod
    def found_or_new(cls, cluster: Cluster) -> "Release":
        listed = json.loads(cluster.helm("list", "--all-namespaces", "--output=json"))
        ours = [each for each in listed if each["chart"].startswith("uwsgi-autopilot-")]
        known = [each for each in ours if not each["namespace"].startswith("e2e-")]  # a test's own
        if known:
            return cls(cluster, known[0]["name"], known[0]["namespace"])
        return cls(cluster, NAME, NAME)

    def install(self) -> bool:
        """Ends when the operator is ready. True: the release was there before."""
        there = self.cluster.helm(
            "list", f"--namespace={self.place.name}", f"--filter=^{self.name}$", "--short"
        ).strip()
        self.cluster.helm("upgrade", "--install", self.name, str(ROOT / "chart"), f"--namespace={self.place.name}",
             "--create-namespace", "--wait", "--timeout=120s")  # fmt: skip
        self.scale(REPLICAS)
        return bool(there)

    def restart(self) -> None:
        """With the image that is in the cluster now: the tag may stand for another one since."""
        self.place.kubectl("rollout", "restart", f"deployment/{self.name}")
        self._rolled_out()

    def uninstall(self) -> None:
        self.cluster.helm("uninstall", self.name, f"--namespace={self.place.name}", "--wait")

    def test(self) -> str:
        return self.cluster.helm("test", self.name, f"--namespace={self.place.name}", "--timeout=120s")

    def scale(self, replicas: int) -> None:
        """0: the operator is gone, at once."""
        self.place.kubectl("scale", f"deployment/{self.name}", f"--replicas={replicas}")
        if replicas == 0:
            self.place.kubectl("delete", "pod", f"--selector={self._selector()}", "--grace-period=0", "--force")
            until("the operator is gone", lambda: not self.place.items("pods", f"--selector={self._selector()}"))
        else:
            self._rolled_out()

    def _rolled_out(self) -> None:
        self.place.kubectl("rollout", "status", f"deployment/{self.name}", "--timeout=120s")
        until("one of the operators leads", self.leader)

    def pods(self) -> dict[str, Body]:
        """The operators that are not being deleted, by name."""
        found = self.place.items("pods", f"--selector={self._selector()}")
        return {each["metadata"]["name"]: each for each in found if "deletionTimestamp" not in each["metadata"]}

    def leader(self) -> str:
        """The pod that holds the Lease; "" when none of these does."""
        holder = self.holder().rpartition("_")[0]
        return holder if holder in self.pods() else ""

    def holder(self) -> str:
        """The process that holds it."""
        leases = self.place.items("leases", f"--field-selector=metadata.name={self.name}")
        return leases[0]["spec"].get("holderIdentity") or "" if leases else ""

    def signal(self, pod: str, name: str) -> None:
        """To the operator's process, from the node: as the kernel or an administrator does it, without the kubelet."""
        body = self.pods()[pod]
        container = _status(body)["containerID"].rpartition("/")[2]
        found = f"grep -l {container} /proc/[0-9]*/cgroup | head -n 1 | cut -d / -f 3"
        self.cluster.on_node(body["spec"]["nodeName"], f"kill -{name} $({found})")

    def ready(self) -> list[str]:
        return [name for name, pod in self.pods().items() if _status(pod)["ready"]]

    def restarts(self, pod: str) -> int:
        found = _status(self.pods()[pod])["restartCount"]
        assert isinstance(found, int)
        return found

    def last_words(self, pod: str) -> str:
        """Of the process that has ended in it."""
        return self.place.kubectl("logs", pod, "--previous", "--tail=20")

    def logs(self) -> str:
        selector = self._selector()
        return self.place.kubectl("logs", f"--selector={selector}", "--prefix", "--tail=60")

    def metrics(self) -> str:
        """The page for Prometheus of the operator that leads, through the API server."""
        path = f"/api/v1/namespaces/{self.place.name}/pods/{self.leader()}:8080/proxy/metrics"
        return self.place.kubectl("get", "--raw", path)

    def _selector(self) -> str:
        labels = self.place.json("deployment", self.name)["spec"]["selector"]["matchLabels"]
        return ",".join(f"{name}={value}" for name, value in labels.items())


def _status(pod: Body) -> Body:
    found: Body = next(iter(pod["status"].get("containerStatuses", ())), {"ready": False, "restartCount": 0})
    return found
