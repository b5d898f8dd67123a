"""What the init container of each pod does: copy the agent to where the application's container finds it, and tell
nginx whether there is IPv6.

nginx does not start with `listen [::]:8080` where the kernel has no IPv6 (ipv6.disable=1), and in a pod of an IPv6
cluster nothing reaches it without that line. Here the kernel is asked on which nginx will run, in the pod's own network
namespace; nginx.conf includes what is found (resources/nginx.py).
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from uwsgi_autopilot.agent.listener import kernel_has_ipv6
from uwsgi_autopilot.agent.log import log


def install(source: str, target: str, nginx: str, ports: Sequence[int]) -> None:
    """nginx: a folder that nginx sees. Raises OSError when the agent cannot be copied; without that folder nginx has
    IPv4 alone."""
    shutil.copyfile(source, target)
    Path(target).chmod(0o644)  # whatever the umask is: the application is another user
    if not kernel_has_ipv6():
        log("info", "this kernel has no IPv6")
        return
    try:
        for port in ports:
            file = Path(nginx, f"listen-{port}.conf")
            file.write_text(f"listen [::]:{port};\n", encoding="ascii")
            file.chmod(0o644)  # nginx, too
    except OSError as error:
        log("warning", f"nginx will listen on IPv4 alone: {error}")
