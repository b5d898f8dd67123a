"""The chart in the cluster: installed as the README says, or brought up to date where it is installed already."""

import json
from pathlib import Path

from tests.e2e.cluster import Cluster
from tests.e2e.place import Place, until

ROOT = Path(__file__).parents[2]
NAME = "uwsgi-autopilot"


class Release:
    """`name`, `namespace`: where it is. The operator's Deployment is called as the release is."""

    def __init__(self, cluster: Cluster, name: str, namespace: str) -> None:
        self.name = name
        self.cluster = cluster
        self.place = Place(cluster, namespace)

    @classmethod
    def found_or_new(cls, cluster: Cluster) -> "Release":
        listed = json.loads(cluster.helm("list", "--all-namespaces", "--output=json"))
        known = [each for each in listed if each["chart"].startswith("uwsgi-autopilot-") and each["name"] != "spare"]
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
        self.scale(1)
        return bool(there)

    def restart(self) -> None:
        """With the image that is in the cluster now: the tag may stand for another one since."""
        self.place.kubectl("rollout", "restart", f"deployment/{self.name}")
        self.place.kubectl("rollout", "status", f"deployment/{self.name}", "--timeout=120s")

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
            self.place.kubectl("rollout", "status", f"deployment/{self.name}", "--timeout=120s")

    def logs(self) -> str:
        return self.place.kubectl("logs", f"deployment/{self.name}", "--tail=60")

    def metrics(self) -> str:
        """The operator's page for Prometheus, through the API server."""
        path = f"/api/v1/namespaces/{self.place.name}/services/{self.name}:metrics/proxy/metrics"
        return self.place.kubectl("get", "--raw", path)

    def _selector(self) -> str:
        labels = self.place.json("deployment", self.name)["spec"]["selector"]["matchLabels"]
        return ",".join(f"{name}={value}" for name, value in labels.items())
