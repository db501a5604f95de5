"""The image that every pod's sandbox runs, made here: one static program in an archive that `ctr` imports.

Its tag is the digest of its source, so an old one is never taken for it.
"""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from local.cache import obtain
from local.kubernetes import golang
from local.progress import Report

_SOURCE = golang.MODULE / "pause/main.go"
_ARCHIVE = "pause.tar"
_NOBODY = "65535:65535"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def reference() -> str:
    """Answer the image's name."""
    return f"docker.io/ecommerce-platform/pause:{_digest()}"


def archive(report: Report) -> Path:
    """Answer the archive of the image, built by Go at first use."""
    return obtain(f"pause-{_digest()}", lambda folder: _build(folder, report), report) / _ARCHIVE


def _digest() -> str:
    return hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]


def _build(folder: Path, report: Report) -> None:
    program = folder / "pause"
    golang.build("./pause", program, {}, report)
    layer = _tar({"pause": program.read_bytes()}, mode=0o755)
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": _NOBODY},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [reference()], "Layers": ["layer.tar"]}]).encode()
    files = {"config.json": config, "layer.tar": layer, "manifest.json": manifest}
    (folder / _ARCHIVE).write_bytes(_tar(files, mode=0o644))


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
