"""Image layers and archives written byte for byte the same from the same files.

A layer is a tar of a folder: entries sorted, owned by root unless told otherwise, dated at the epoch. An archive is what
`docker save` writes and every engine loads: a manifest, a configuration, and the layers.
"""

import hashlib
import io
import json
import os
import platform
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_EPOCH = "1970-01-01T00:00:00Z"
_SET_IDS = stat.S_ISUID | stat.S_ISGID  # nobody becomes root in a container
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Layer:
    """A tar file and the digest of its bytes."""

    path: Path
    digest: str

    @classmethod
    def read(cls, path: Path) -> "Layer":
        """Answer the layer of a file; its digest is kept beside it."""
        noted = path.with_suffix(".sha256")
        if not noted.exists():
            with path.open("rb") as stream:
                noted.write_text(hashlib.file_digest(stream, "sha256").hexdigest())
        return cls(path, noted.read_text())


@dataclass(frozen=True)
class Configuration:
    """What an image says to those who run it."""

    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    directory: str = "/"
    stop_signal: str = ""
    volumes: Sequence[str] = ()


@dataclass(frozen=True)
class Owner:
    """Whom the files below a path of the image belong to."""

    path: str
    uid: int
    gid: int


def write_layer(root: Path, target: Path, owners: Sequence[Owner] = ()) -> Layer:
    """Write all below a folder as a layer. Links within it stay links."""
    with target.open("wb") as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in _sorted(root):
            _add(archive, root, path, owners)
    return Layer.read(target)


def _sorted(root: Path) -> Iterator[Path]:
    for entry in sorted(root.iterdir(), key=lambda each: each.name):
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from _sorted(entry)


def _add(archive: tarfile.TarFile, root: Path, path: Path, owners: Sequence[Owner]) -> None:
    status = path.lstat()
    name = path.relative_to(root).as_posix()
    entry = tarfile.TarInfo(name)
    entry.mode = stat.S_IMODE(status.st_mode) & ~_SET_IDS
    entry.uid, entry.gid = next(((each.uid, each.gid) for each in owners if _below(name, each.path)), (0, 0))
    if path.is_symlink():
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
        archive.addfile(entry)
    elif path.is_dir():
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    elif path.is_file():
        entry.size = status.st_size
        with path.open("rb") as stream:
            archive.addfile(entry, stream)


def _below(name: str, folder: str) -> bool:
    return name == folder or name.startswith(f"{folder}/")


def configuration_text(configuration: Configuration, layers: Sequence[Layer]) -> bytes:
    """Answer the image's configuration as JSON; its digest is the image's id."""
    inner: dict[str, Any] = {
        "User": configuration.user,
        "Env": [f"{name}={value}" for name, value in configuration.environment.items()],
        "Entrypoint": list(configuration.entrypoint) or None,
        "Cmd": list(configuration.command) or None,
        "WorkingDir": configuration.directory,
        "Volumes": {path: {} for path in configuration.volumes} or None,
        "StopSignal": configuration.stop_signal or None,
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


def write_archive(target: Path, reference: str, configuration: Configuration, layers: Sequence[Layer]) -> str:
    """Write an archive that loads as `reference`; answer the image's id."""
    text = configuration_text(configuration, layers)
    image = hashlib.sha256(text).hexdigest()
    names = [f"{layer.digest}.tar" for layer in layers]
    manifest = [{"Config": f"{image}.json", "RepoTags": [reference], "Layers": names}]
    draft = target.with_suffix(".draft")
    with draft.open("wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for layer, name in zip(layers, names, strict=True):
            with layer.path.open("rb") as content:
                _add_stream(archive, name, layer.path.stat().st_size, content)
        _add_stream(archive, f"{image}.json", len(text), io.BytesIO(text))
        listed = json.dumps(manifest).encode()
        _add_stream(archive, "manifest.json", len(listed), io.BytesIO(listed))
    draft.rename(target)
    return image


def _add_stream(archive: tarfile.TarFile, name: str, size: int, content: BinaryIO) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    archive.addfile(entry, content)
