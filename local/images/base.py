"""A base image from the host's own package sources: Python and a shell on a root file system of a few dozen packages.

It stands in for the public Python image on a host that reaches no image registry. The few effects of the packages'
maintainer scripts that matter here are made by hand, so nothing of the host or of the hour gets in: the same packages
give the same bytes.
"""

import hashlib
import json
import shutil
from pathlib import Path

from local.cache import obtain
from local.errors import ToolMissingError
from local.images import layers, packages
from local.images.layers import Layer, write_layer
from local.progress import Report

# Python; libstdc++ for wheels; tar for `kubectl cp` and for tools that sync files; util-linux (flock) and the rest of a
# small shell for the start scripts of datastores.
_WANTED = (
    *("base-files", "bash", "ca-certificates", "coreutils", "dash", "findutils", "grep", "hostname", "libc-bin"),
    *("libstdc++6", "libzstd1", "netbase", "procps", "python3", "sed", "tar", "tzdata", "util-linux"),
)
_OLDEST_PYTHON = (3, 11)

USERS = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"
_FOLDERS = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700, "proc": 0o755, "sys": 0o755, "dev": 0o755, "run": 0o755}


def base_layer(report: Report) -> Layer:
    """Answer the base's only layer, made at first use; raise ToolMissingError or FetchFailedError."""
    return Layer.read(_folder(report) / "layer.tar")


def unpack_beside(wanted: tuple[str, ...], root: Path, report: Report) -> None:
    """Put packages below `root` with all that they need and the base has not: a layer upon it."""
    there: dict[str, str] = json.loads((_folder(report) / "packages.json").read_text())
    resolved = packages.resolve((*_WANTED, *wanted))
    _merged_layout(root)
    packages.unpack({name: version for name, version in resolved.items() if name not in there}, root)


def _folder(report: Report) -> Path:
    sources = (Path(module) for module in (__file__, packages.__file__, layers.__file__))
    recipe = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:8]
    return obtain(f"image-base-{recipe}", _make, report)


def _make(folder: Path) -> None:
    packages.require_apt()
    resolved = packages.resolve(_WANTED)
    python = resolved.get("python3", "0.0")
    if tuple(int(part) for part in python.split(".")[:2]) < _OLDEST_PYTHON:
        raise ToolMissingError(f"this host's packages have Python {python}; the services want 3.11 or newer")
    root = folder / "root"
    root.mkdir()
    _merged_layout(root)
    packages.unpack(resolved, root)
    _finish(root)
    write_layer(root, folder / "layer.tar")
    (folder / "packages.json").write_text(json.dumps(resolved, indent=1, sort_keys=True))
    shutil.rmtree(root)


def _merged_layout(root: Path) -> None:
    """Make the folders of the merged layout, which packages may still name by their old paths."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")


def _finish(root: Path) -> None:
    """Do what the maintainer scripts would have done, and have Python's own modules compiled."""
    for name, mode in _FOLDERS.items():
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(mode)
    for old, new in (("var/run", "/run"), ("var/lock", "/run/lock")):
        shutil.rmtree(root / old, ignore_errors=True)
        (root / old).symlink_to(new)
    (root / "etc/passwd").write_text(USERS)
    (root / "etc/group").write_text(GROUPS)
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    _authorities(root)
    if not (root / "usr/bin/sh").exists():
        (root / "usr/bin/sh").symlink_to("dash")
    packages.run(["ldconfig", "-X", "-r", str(root)], root)
    (root / "var/cache/ldconfig/aux-cache").unlink(missing_ok=True)
    compiled = ["-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash", "/usr/lib"]
    clean = ["chroot", str(root), "/usr/bin/env", "-i", "PYTHONHASHSEED=0", "/usr/bin/python3"]
    packages.run([*clean, *compiled], root)


def _authorities(root: Path) -> None:
    """Gather the certificates of the authorities into the one file that programs read."""
    certificates = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(each.read_bytes() for each in certificates))
