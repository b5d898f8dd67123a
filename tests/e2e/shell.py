"""A shell in which kubectl and helm, typed as a page has them, mean the tests' cluster and one namespace of it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.cluster import CONTEXT, SECONDS, Cluster
from tests.pages import ROOT


class Shell:
    """`folder`: for the configuration that names the cluster. `instead`: words of a page that stand for others here."""

    def __init__(
        self, cluster: Cluster, namespace: str, folder: Path, instead: Mapping[str, str] | None = None
    ) -> None:
        self._config = folder / f"kubeconfig-{namespace}"
        self._config.touch(mode=0o600)
        self._config.write_text(cluster.kubectl("config", "view", "--minify", "--flatten"))
        self._instead = dict(instead or {})
        self(f"kubectl config set-context {CONTEXT} --namespace={namespace}")

    def __call__(self, command: str) -> str:
        """Standard output. Raises AssertionError with what was said."""
        for word, other in self._instead.items():
            command = command.replace(word, other)
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=ROOT,
            env={**os.environ, "KUBECONFIG": str(self._config)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout
