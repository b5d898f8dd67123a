"""What lies in the images: who owns it, who may write it, and that nothing in it makes anybody root.

Every file is looked at, by `docker export`: what a container could execute or change, whatever its user may see.
"""

import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.cluster import missing

pytestmark = pytest.mark.e2e
# Built by `make images`.
IMAGES = ["uwsgi-autopilot:dev", "uwsgi-autopilot-app:dev"]
OURS = ("ours/", "venv/", "opt/uwsgi-autopilot/", "app/")
SETUID, SETGID, STICKY, OTHERS_WRITE = 0o4000, 0o2000, 0o1000, 0o002


@dataclass(frozen=True, slots=True)
class Contents:
    """config: as `docker image inspect` has it."""

    config: dict[str, Any]
    entries: tuple[tarfile.TarInfo, ...]

    def below(self, *folders: str) -> Iterator[tarfile.TarInfo]:
        return (each for each in self.entries if each.name.startswith(folders))


@pytest.fixture(scope="module", params=IMAGES)
def image(request: pytest.FixtureRequest) -> Contents:
    if sentence := missing():
        pytest.skip(f"NO CLUSTER: {sentence}")
    told = subprocess.run(["docker", "image", "inspect", request.param], capture_output=True, check=True)
    made = subprocess.run(
        ["docker", "create", request.param], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        with subprocess.Popen(["docker", "export", made], stdout=subprocess.PIPE) as export:
            assert export.stdout is not None
            with tarfile.open(fileobj=export.stdout, mode="r|") as archive:
                entries = tuple(archive)
    finally:
        subprocess.run(["docker", "rm", made], capture_output=True, check=True)
    return Contents(json.loads(told.stdout)[0]["Config"], entries)


def names(entries: Iterator[tarfile.TarInfo]) -> list[str]:
    return sorted(each.name for each in entries)


def test_its_user_is_a_number_and_not_root(image):
    user, _, group = image.config["User"].partition(":")
    assert int(user) >= 10000
    assert int(group) >= 10000


def test_no_program_gives_its_caller_the_rights_of_another(image):
    assert not names(each for each in image.entries if each.isfile() and each.mode & (SETUID | SETGID))
    assert not names(each for each in image.entries if "security.capability" in " ".join(each.pax_headers))


def test_nobody_but_its_owner_writes_a_file_and_folders_for_all_are_sticky(image):
    assert not names(each for each in image.entries if each.isfile() and each.mode & OTHERS_WRITE)
    folders = [each for each in image.entries if each.isdir() and each.mode & OTHERS_WRITE]
    assert not names(each for each in folders if not each.mode & STICKY)
    assert {each.name.rstrip("/") for each in folders} <= {"tmp", "var/tmp", "run/lock", "dev/shm", "dev/mqueue"}


def test_what_we_put_there_belongs_to_root_so_that_its_user_cannot_change_it(image):
    ours = list(image.below(*OURS))
    assert len(ours) > 100
    assert not names(each for each in ours if (each.uid, each.gid) != (0, 0))
    assert not names(each for each in ours if not each.mode & 0o004 and not each.issym())


def test_nothing_in_it_installs_packages_into_what_runs(image):
    assert not names(each for each in image.below("venv/bin/") if each.name.endswith(("/pip", "/pip3")))
