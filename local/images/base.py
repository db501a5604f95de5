"""A base image from the host's own package sources: Python and a shell on a root file system of a few dozen packages.

It stands in for the public Python image on a host that reaches no image registry. apt resolves and fetches the packages
from wherever the host gets its own, and checks their signatures; they are unpacked without their maintainer scripts, whose
few effects that matter here are made by hand. So nothing of the host or of the hour gets in: the same packages give the
same bytes.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from local.cache import obtain
from local.errors import FetchFailedError, ToolMissingError
from local.images.layers import Layer, write_layer
from local.progress import Report

# Python's own; libstdc++ for wheels; tar for `kubectl cp` and for tools that sync files; util-linux (flock) and the rest
# of a small shell for the start scripts of datastores.
_WANTED = (
    *("base-files", "bash", "ca-certificates", "coreutils", "dash", "findutils", "grep", "hostname", "libc-bin"),
    *("libstdc++6", "libzstd1", "netbase", "procps", "python3", "sed", "tar", "tzdata", "util-linux"),
)
# Beginnings of the names of packages that only maintainer scripts need, which do not run.
_LEFT_OUT = ("debconf", "dpkg", "gcc-", "init-system-helpers", "libperl", "openssl", "perl")
_UNUSED_FOLDERS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")
_UNUSED = (*_UNUSED_FOLDERS, "usr/share/bash-completion", "usr/share/zsh", "usr/lib/udev", "lib/udev", "usr/lib/systemd")
_OLDEST_PYTHON = (3, 11)
_MINUTES = 15 * 60

_USERS = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_GROUPS = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"
_FOLDERS = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700, "proc": 0o755, "sys": 0o755, "dev": 0o755, "run": 0o755}


def base_layer(report: Report) -> Layer:
    """Answer the base's only layer, made at first use; raise ToolMissingError or FetchFailedError."""
    return Layer.read(obtain(f"image-base-{_recipe()}", _make, report) / "layer.tar")


def _recipe() -> str:
    """Answer what tells one way of making the base from another; the packages' versions are the host's."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]


def _make(folder: Path) -> None:
    for name in ("apt-get", "dpkg-deb"):
        if shutil.which(name) is None:
            raise ToolMissingError(f"{name} is missing: a base image without a registry is made of Debian's packages")
    if os.geteuid() != 0:
        raise ToolMissingError("only root can make a base image; as another user, build with docker or podman")
    packages, root = folder / "packages", folder / "root"
    packages.mkdir()
    root.mkdir()
    _download(packages)
    _unpack(packages, root)
    _finish(root)
    write_layer(root, folder / "layer.tar")
    shutil.rmtree(root)
    shutil.rmtree(packages)


def _download(into: Path) -> None:
    """Fetch the packages into a folder. Lists that are missing or too old are fetched anew, once."""
    try:
        _apt(["download", *_resolved()], into)
    except FetchFailedError:
        _apt(["update"], into)
        _apt(["download", *_resolved()], into)


def _resolved() -> list[str]:
    """Answer `name=version` for all that a system without any package would have to install."""
    simulated = _apt(["--simulate", "--option=Dir::State::status=/dev/null", "install", *_WANTED], Path("/"))
    found = list(_installations(simulated))
    python = next((version for name, version in found if name == "python3"), "0.0")
    if tuple(int(part) for part in python.split(".")[:2]) < _OLDEST_PYTHON:
        raise ToolMissingError(f"this host's packages have Python {python}; the services want 3.11 or newer")
    return sorted(f"{name}={version}" for name, version in found if not name.startswith(_LEFT_OUT))


def _installations(simulated: str) -> Iterator[tuple[str, str]]:
    for line in simulated.splitlines():
        if line.startswith("Inst "):
            _, name, version = line.split()[:3]
            yield name, version.strip("(")


def _apt(arguments: Sequence[str], directory: Path) -> str:
    settings = ("APT::Sandbox::User=root", "APT::Install-Recommends=false", "Acquire::Retries=3", "APT::Color=false")
    options = [f"--option={each}" for each in (*settings, "Acquire::http::Timeout=60", "Acquire::https::Timeout=60")]
    return _run(["apt-get", "--yes", "--quiet", *options, *arguments], directory)


def _unpack(packages: Path, root: Path) -> None:
    for name in ("bin", "sbin", "lib", "lib64"):  # the merged layout, which packages may still name by its old paths
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    exclude = [f"--exclude=./{path}" for path in _UNUSED]
    for package in sorted(packages.glob("*.deb")):
        archive = packages / "data.tar"
        with archive.open("wb") as stream:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=stream, check=True, timeout=_MINUTES)
        _run(["tar", "--extract", "--keep-directory-symlink", f"--file={archive}", *exclude], root)
        archive.unlink()


def _finish(root: Path) -> None:
    """Do what the maintainer scripts would have done, and have Python's own modules compiled."""
    for name, mode in _FOLDERS.items():
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(mode)
    (root / "etc/passwd").write_text(_USERS)
    (root / "etc/group").write_text(_GROUPS)
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    _authorities(root)
    if not (root / "usr/bin/sh").exists():
        (root / "usr/bin/sh").symlink_to("dash")
    _run(["ldconfig", "-X", "-r", str(root)], root)
    (root / "var/cache/ldconfig/aux-cache").unlink(missing_ok=True)
    compiled = ["-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash", "/usr/lib"]
    clean = ["chroot", str(root), "/usr/bin/env", "-i", "PYTHONHASHSEED=0", "/usr/bin/python3"]
    _run([*clean, *compiled], root)


def _authorities(root: Path) -> None:
    """Gather the certificates of the authorities into the one file that programs read."""
    certificates = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(each.read_bytes() for each in certificates))


def _run(command: Sequence[str], directory: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=directory, env=environment, timeout=_MINUTES
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-10:]
        raise FetchFailedError("\n".join([f"{command[0]} failed while the base image was made:", *said]))
    return done.stdout


