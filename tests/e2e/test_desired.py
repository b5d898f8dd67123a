"""The way of a desired shape: annotation, file, agent, generation."""

import functools
import json
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.cluster import CONTEXT, Cluster
from tests.e2e.figures import Figures
from tests.e2e.place import Place, until

# Runs in the pod: prints when the file has changed, and what the agent would read.
WATCH = """
import time
last, end = "", time.time() + 120
while time.time() < end:
    text = open("/etc/uwsgi-autopilot/desired/desired").read()
    if text != last:
        print(time.time(), text, flush=True)
        last = text
    time.sleep(0.01)
"""


@contextmanager
def watched(place: Place, pod: str) -> Iterator[dict[int, float]]:
    """seq -> when its file was there. Nodes of kind have this machine's clock."""
    command = ["kubectl", "--context", CONTEXT, "--namespace", place.name, "exec", pod, "--container=app"]
    with subprocess.Popen([*command, "--", "python3", "-c", WATCH], stdout=subprocess.PIPE, text=True) as process:
        seen: dict[int, float] = {}
        try:
            yield seen
        finally:
            process.terminate()
            assert process.stdout is not None
            for line in process.stdout:
                when, _, text = line.partition(" ")
                if text.strip():
                    seen[json.loads(text)["seq"]] = float(when)


def test_an_annotation_alone_moves_a_pod(namespace: Place, cluster: Cluster, figures: Figures) -> None:
    """What the operator writes can be written by hand. How long the kubelet and the agent take is told at the end."""
    namespace.make(replicas=1, tuning={"mode": "Disabled", "start": {"processes": 1, "threads": 2}})
    (pod,) = (each["metadata"]["name"] for each in namespace.pods())
    written: dict[int, float] = {}
    served: dict[int, float] = {}
    with cluster.proxy() as server, watched(namespace, pod) as files:
        url = f"{server}/api/v1/namespaces/{namespace.name}/pods/{pod}"

        def serves(shape: dict[str, int]) -> bool:
            with urllib.request.urlopen(f"{url}:9117/proxy/v1/state?since=999999999", timeout=10) as answer:
                state = json.load(answer)
            return bool(state["shape"] == shape and state["change"] is None)

        for seq in range(101, 111):
            shape = {"processes": 1, "threads": 2 + seq % 2}
            text = json.dumps({"epoch": 99, "seq": seq, **shape, "uid": "*", "trialSeconds": None})
            body: dict[str, Any] = {"metadata": {"annotations": {"uwsgi-autopilot.dev/desired": text}}}
            kind = {"Content-Type": "application/merge-patch+json"}
            written[seq] = time.time()
            patch = urllib.request.Request(url, json.dumps(body).encode(), kind, method="PATCH")
            urllib.request.urlopen(patch, timeout=10).close()
            until(f"{shape} serves", functools.partial(serves, shape), every=0.02)
            served[seq] = time.time()
    assert set(files) >= set(written)
    to_file = spread([files[seq] - written[seq] for seq in written])
    to_serving = spread([served[seq] - written[seq] for seq in written])
    figures.append(f"annotation to file: {to_file}; to the new generation serving alone: {to_serving}")


def spread(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s of {len(seconds)}"
