"""Upstream's own object files, taken from the very modules that the programs are built from."""

import hashlib
from pathlib import Path
from shutil import copyfile

from local.cache import cache_directory, obtain
from local.kubernetes import golang
from local.progress import Report

_CONTOUR, _GATEWAY = "github.com/projectcontour/contour", "sigs.k8s.io/gateway-api"
CONTOUR_ROLE = "02-role-contour.yaml"


def manifests(report: Report) -> Path:
    """Answer a folder with Contour's role, and the custom resource definitions of it and of Gateway API in `*crd*`."""
    versions = golang.module_version(_CONTOUR), golang.module_version(_GATEWAY)
    key = f"ingress-manifests-{hashlib.sha256(repr(versions).encode()).hexdigest()[:8]}"
    if not (cache_directory() / key).is_dir():
        golang.require_go()
    return obtain(key, _copy, report)


def _copy(folder: Path) -> None:
    contour = golang.module_folder(_CONTOUR) / "examples/contour"
    for name in ("01-crds.yaml", CONTOUR_ROLE):
        copyfile(contour / name, folder / name)
    # The standard channel: what Gateway API promises to keep.
    for path in (golang.module_folder(_GATEWAY) / "config/crd/standard").glob("gateway.networking.k8s.io_*.yaml"):
        copyfile(path, folder / f"crd-{path.name}")
