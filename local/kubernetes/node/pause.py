"""The image that every pod's sandbox runs: one static program, built here.

Its tag is the digest of its source, so an old one is never taken for it.
"""

import hashlib
from pathlib import Path

from local.cache import obtain
from local.kubernetes import golang
from local.kubernetes.node import archives
from local.progress import Report

_SOURCE = golang.MODULE / "pause/main.go"
_ARCHIVE = "pause.tar"


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
    archives.write(folder / _ARCHIVE, reference(), program)
