"""kubectl for the tests: always the one cluster that they may use, whatever the person's current context is."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

CONTEXT = "kind-uwsgi-autopilot"


class Kubectl:
    def __call__(self, *args: str, stdin: str | None = None, seconds: float = 120) -> str:
        """Standard output of `kubectl ARGS`. Raises AssertionError with its words when it fails."""
        command = ["kubectl", "--context", CONTEXT, *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=seconds)
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr or done.stdout}"
        return done.stdout

    @contextmanager
    def proxy(self) -> Iterator[str]:
        """The API server, without credentials, at a free port of this machine."""
        command = ["kubectl", "--context", CONTEXT, "proxy", "--port=0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield "http://" + process.stdout.readline().split()[-1]
            finally:
                process.terminate()
