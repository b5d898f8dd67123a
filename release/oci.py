"""What `docker save` writes, as an OCI archive: layers compressed, every date at most that of the release.

An image that docker has built has no digest until a registry gives it one. This one has: `oras cp`, `skopeo copy` and
`crane push` send its manifest as it is.
"""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_INDEX = "application/vnd.oci.image.index.v1+json"


def convert(saved: Path, target: Path, name: str, epoch: int, date: str) -> str:
    """Write `target` and return the digest of the manifest. date: `epoch` as in RFC 3339."""
    with tarfile.open(saved) as archive, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as out:
        (described,) = json.loads(_read(archive, "manifest.json"))
        config = json.loads(_read(archive, described["Config"]))
        layers, plain = [], []
        for each in described["Layers"]:
            data = _dated_layer(_read(archive, each), epoch)
            plain.append(_digest(data))
            layers.append(_blob(out, gzip.compress(data, 6, mtime=0), _LAYER, epoch))
        config["rootfs"]["diff_ids"] = plain
        config["created"] = date
        config["history"] = [{**each, "created": date} for each in config.get("history", ())]
        # Of the container in which the last step ran.
        for passing in ("container", "container_config", "docker_version"):
            config.pop(passing, None)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _blob(out, _json(config), _CONFIG, epoch),
            "layers": layers,
        }
        top = _blob(out, _json(manifest), _MANIFEST, epoch)
        top["annotations"] = {"org.opencontainers.image.ref.name": name}
        _add(out, "index.json", _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [top]}), epoch)
        _add(out, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}), epoch)
    return str(top["digest"])


def _dated_layer(data: bytes, epoch: int) -> bytes:
    """The files of a layer in their order, none of them younger than the release."""
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for each in old:
            each.mtime = min(int(each.mtime), epoch)
            each.pax_headers = {name: value for name, value in each.pax_headers.items() if not name.endswith("time")}
            new.addfile(each, old.extractfile(each) if each.isreg() else None)
    return made.getvalue()


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None, name
    return found.read()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(out: tarfile.TarFile, data: bytes, kind: str, epoch: int) -> dict[str, Any]:
    """Its descriptor."""
    digest = _digest(data)
    path = f"blobs/sha256/{digest.removeprefix('sha256:')}"
    if path not in out.getnames():
        _add(out, path, data, epoch)
    return {"mediaType": kind, "digest": digest, "size": len(data)}


def _add(out: tarfile.TarFile, path: str, data: bytes, epoch: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mtime, entry.mode = len(data), epoch, 0o644
    out.addfile(entry, io.BytesIO(data))
