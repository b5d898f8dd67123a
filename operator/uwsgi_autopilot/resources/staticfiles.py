"""Static files lie in the application's image, where nginx cannot see them: an init container with that image copies
them into a volume that nginx reads."""

from collections.abc import Sequence
from dataclasses import replace
from posixpath import join

from uwsgi_autopilot.api.nginxspec import StaticFiles
from uwsgi_autopilot.api.uwsgiapp import UwsgiApp

# Where both containers mount the volume `static`.
MOUNT = "/srv/static"

# Run by the image's own Python: an image without a shell has no cp. Whoever built the image may have left the files
# readable for its own user alone; nginx is another one. A sentence for a person goes to the termination message.
COPY = """\
import os, shutil, sys
for source, target in zip(sys.argv[1::2], sys.argv[2::2]):
    if not os.path.isdir(source):
        message = f"spec.nginx.static: the image has no directory {source}"
        open("/dev/termination-log", "w").write(message)
        sys.exit(message)
    shutil.copytree(source, target, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    for folder, _, files in os.walk(target):
        os.chmod(folder, 0o755)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o644)
"""


def served_from(app: UwsgiApp) -> tuple[StaticFiles, ...]:
    """The same paths, with the directories that nginx finds them in."""
    return tuple(StaticFiles(path=each.path, dir=f"{MOUNT}/{number}") for number, each in enumerate(app.nginx.static))


def mounted(app: UwsgiApp) -> tuple[StaticFiles, ...]:
    """Internal files lie where the person's own volume is mounted in both containers: what the application sends
    clients to nginx for is mostly uploaded, or made, while it runs."""
    return tuple(replace(each, dir=join(app.chdir or "/", each.dir)) for each in app.nginx.internal)


def copy_command(app: UwsgiApp, python: str) -> Sequence[str]:
    """The command of the init container. A relative directory is one below `spec.chdir`."""
    pairs = zip(app.nginx.static, served_from(app), strict=True)
    paths = [path for there, here in pairs for path in (join(app.chdir or "", there.dir), here.dir)]
    return [python, "-I", "-c", COPY, *paths]
