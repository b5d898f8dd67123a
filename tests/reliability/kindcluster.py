"""The kind cluster of these runs, and the chart's objects in it: everything but the operator's own pods."""

import base64
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
NAME = "uwsgi-autopilot-reliability"
CONTEXT = f"kind-{NAME}"
NODE = f"{NAME}-control-plane"
RELEASE = NAMESPACE = "uwsgi-autopilot"
WEB = "web"  # where the applications are
CONFIG = "tests/reliability/cluster/kind-config.yaml"
AUDIT_LOG = "/var/log/kubernetes/audit.log"
# No scheduler takes these pods, so no kubelet does: kubelet.py writes what one would.
NOBODY = "nobody"
# What `helm template` renders that is not to be there.
NOT_DEPLOYED = frozenset({"Deployment", "PodDisruptionBudget", "Job"})
PROGRAMS = {
    "docker": "https://docs.docker.com/get-started/get-docker/",
    "kind": "https://kind.sigs.k8s.io",
    "helm": "https://helm.sh",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
}

Body = dict[str, Any]


class Missing(Exception):
    """One sentence: what there is to do before anything can be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What the operator is started with, `operator` first, and the credentials of its own account."""

    arguments: list[str]
    server: str
    ca: str
    token: str


def check() -> None:
    """Raises Missing."""
    for program, where in PROGRAMS.items():
        if not shutil.which(program):
            raise Missing(f"{program} is missing; install it from {where}")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        raise Missing("docker is installed and its daemon does not answer; start it, or join its group")


def run(*command: str, text: str | None = None, seconds: float = 300.0) -> str:
    """Standard output. Raises Missing with the program's own words."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode:
        raise Missing(f"{' '.join(command[:4])}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def kubectl(*args: str, text: str | None = None) -> str:
    return run("kubectl", "--context", CONTEXT, *args, text=text)


def on_node(command: str) -> str:
    return run("docker", "exec", NODE, "sh", "-c", command)


def up() -> Installed:
    """Make or reuse the cluster, empty it, and install what the operator needs. Raises Missing."""
    check()
    run(str(ROOT / "tests/e2e/kind-cluster.sh"), NAME, CONFIG, seconds=600)
    return install()


def down() -> None:
    run("kind", "delete", "cluster", "--name", NAME)


def install() -> Installed:
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "chart/crds"))
    for namespace in (NAMESPACE, WEB):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        kubectl("apply", "-f", "-", text=json.dumps(body))
    rendered = run("helm", "template", RELEASE, str(ROOT / "chart"), f"--namespace={NAMESPACE}")
    objects = [each for each in yaml.safe_load_all(rendered) if each]
    kept = [_unscheduled(each) for each in objects if _wanted(each)]
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(kept))
    kubectl("wait", "--for=condition=Established", "crd/uwsgiapps.uwsgi-autopilot.dev", "--timeout=60s")
    (operator,) = (each for each in objects if each["kind"] == "Deployment")
    arguments = operator["spec"]["template"]["spec"]["containers"][0]["args"]
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))["clusters"][0]["cluster"]
    return Installed(
        arguments=[each for each in arguments if not each.startswith("--port=")],
        server=config["server"],
        ca=config["certificate-authority-data"],
        token=kubectl("create", "token", RELEASE, f"--namespace={NAMESPACE}", "--duration=24h").strip(),
    )


def _wanted(body: Body) -> bool:
    hook = (body["metadata"].get("annotations") or {}).get("helm.sh/hook")
    return hook is None and body["kind"] not in NOT_DEPLOYED


def _unscheduled(body: Body) -> Body:
    if body["kind"] == "PodTemplate":
        body["template"]["spec"]["schedulerName"] = NOBODY
    return body


def kubeconfig(installed: Installed, file: Path, server: str | None = None) -> Path:
    """For the operator's own account; `server`: a proxy in front of the API server, plain HTTP."""
    cluster: Body = {"server": server or installed.server}
    if server is None:
        cluster["certificate-authority-data"] = installed.ca
    body = {
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": {"token": installed.token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": NAMESPACE}}],
    }  # fmt: skip
    file.write_text(json.dumps(body), encoding="utf-8")
    os.chmod(file, 0o600)
    return file


def admin() -> tuple[str, bytes, bytes, bytes]:
    """The API server's address; its authority, our certificate and its key, all as PEM."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    texts = (cluster["certificate-authority-data"], user["client-certificate-data"], user["client-key-data"])
    authority, certificate, key = (base64.b64decode(each) for each in texts)
    return cluster["server"], authority, certificate, key


def main() -> int:
    """`python -m tests.reliability.kindcluster down` removes the cluster."""
    try:
        down() if sys.argv[1:] == ["down"] else up()
    except Missing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
