"""Archives of images: what `docker save` writes and every engine loads.

One file holds several images, and a layer that they share is in it once.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from local.images.layers import Layer

_EPOCH = "1970-01-01T00:00:00Z"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Configuration:
    """What an image says to those who run it."""

    user: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": USUAL_PATH})
    entrypoint: Sequence[str] = ()
    directory: str = "/"
    stop_signal: str = ""
    volumes: Sequence[str] = ()

    def text(self, layers: Sequence[Layer]) -> bytes:
        """Answer it as JSON, with the layers that it belongs to; the digest of this is the image's id."""
        inner: dict[str, Any] = {
            "User": self.user,
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "Entrypoint": list(self.entrypoint) or None,
            "WorkingDir": self.directory,
            "Volumes": {path: {} for path in self.volumes} or None,
            "StopSignal": self.stop_signal or None,
        }
        whole = {
            "architecture": _MACHINES[platform.machine()],
            "os": "linux",
            "created": _EPOCH,
            "config": {name: value for name, value in inner.items() if value is not None},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in layers]},
            "history": [{"created": _EPOCH} for _ in layers],
        }
        return json.dumps(whole, sort_keys=True).encode()


@dataclass(frozen=True)
class Image:
    """An image as it goes into an archive: its name, its configuration, and its layers from the bottom up."""

    reference: str
    configuration: bytes
    layers: Sequence[Layer]

    @property
    def digest(self) -> str:
        """The image's id."""
        return hashlib.sha256(self.configuration).hexdigest()


def image(reference: str, configuration: Configuration, layers: Sequence[Layer]) -> Image:
    """Answer the image of these layers."""
    return Image(reference, configuration.text(layers), layers)


def write_archive(target: Path, images: Sequence[Image]) -> None:
    """Write images into one archive, which appears under its name when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    layers = {f"{layer.digest}.tar": layer.path for each in images for layer in each.layers}
    texts = {f"{each.digest}.json": each.configuration for each in images}
    texts["manifest.json"] = json.dumps([_listed(each) for each in images]).encode()
    with draft.open("wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for name, path in layers.items():
            with path.open("rb") as content:
                _add(archive, name, path.stat().st_size, content)
        for name, text in texts.items():
            _add(archive, name, len(text), io.BytesIO(text))
    draft.replace(target)


def _listed(one: Image) -> dict[str, Any]:
    layers = [f"{layer.digest}.tar" for layer in one.layers]
    return {"Config": f"{one.digest}.json", "RepoTags": [one.reference], "Layers": layers}


def _add(archive: tarfile.TarFile, name: str, size: int, content: BinaryIO) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    archive.addfile(entry, content)


def read_directory(reference: str, folder: Path) -> Image:
    """Answer the image in a folder as `buildah push … dir:` writes it: a manifest, and blobs named by their digests."""
    manifest = json.loads((folder / "manifest.json").read_text())
    layers = [str(each["digest"]).removeprefix("sha256:") for each in manifest["layers"]]
    configuration = str(manifest["config"]["digest"]).removeprefix("sha256:")
    text = (folder / configuration).read_bytes()
    return Image(reference, text, [Layer(folder / digest, digest) for digest in layers])


def share(folder: Path, blobs: Path) -> None:
    """Let the files of such a folder be links to those of other images with the same bytes."""
    for path in folder.iterdir():
        if path.name not in {"manifest.json", "version"}:
            common = blobs / path.name
            if common.exists():
                path.unlink()
                path.hardlink_to(common)
            else:
                common.hardlink_to(path)
