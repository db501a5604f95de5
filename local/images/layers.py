"""Image layers: tars of a folder, byte for byte the same from the same files.

Entries are sorted, owned by root unless told otherwise, dated at the epoch, and carry no set-user-id bits.
"""

import hashlib
import stat
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SET_IDS = stat.S_ISUID | stat.S_ISGID  # nobody becomes root in a container


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
        entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
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
