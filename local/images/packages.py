"""Debian's packages as files: resolved and fetched by the host's own apt, unpacked without their maintainer scripts.

apt knows where the host gets its packages, through which proxy, and whose signatures count. It is asked what a system
without any package would install, so what the host itself has installed does not matter.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from local.errors import FetchFailedError, ToolMissingError

# Beginnings of the names of packages that only maintainer scripts need, which do not run.
_LEFT_OUT = ("debconf", "dpkg", "gcc-", "init-system-helpers", "libperl", "openssl", "perl")
_UNUSED_FOLDERS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")
_UNUSED = (
    *_UNUSED_FOLDERS,
    "usr/share/bash-completion",
    "usr/share/zsh",
    "usr/lib/udev",
    "lib/udev",
    "usr/lib/systemd",
)
_DEADLINE = 15 * 60


def require_apt() -> None:
    """Raise ToolMissingError where packages cannot be unpacked with their owners' rights."""
    for name in ("apt-get", "dpkg-deb"):
        if shutil.which(name) is None:
            raise ToolMissingError(f"{name} is missing: images without a registry are made of Debian's packages")
    if os.geteuid() != 0:
        raise ToolMissingError("only root can make images without a registry; as another user, use docker or podman")


def resolve(wanted: Sequence[str]) -> dict[str, str]:
    """Answer name and version of all that the wanted packages need. Lists that are missing are fetched first."""
    try:
        return _resolved(wanted)
    except FetchFailedError:
        _apt(["update"], Path("/"))
        return _resolved(wanted)


def unpack(packages: dict[str, str], root: Path) -> None:
    """Fetch the packages and put their files below `root`, without what only people read."""
    folder = root.with_name("packages")
    folder.mkdir()
    try:
        _download([f"{name}={version}" for name, version in sorted(packages.items())], folder)
        for package in sorted(folder.glob("*.deb")):
            _unpack_one(package, root)
    finally:
        shutil.rmtree(folder)


def _resolved(wanted: Sequence[str]) -> dict[str, str]:
    simulated = _apt(["--simulate", "--option=Dir::State::status=/dev/null", "install", *wanted], Path("/"))
    return {name: version for name, version in _installations(simulated) if not name.startswith(_LEFT_OUT)}


def _installations(simulated: str) -> Iterator[tuple[str, str]]:
    for line in simulated.splitlines():
        if line.startswith("Inst "):
            _, name, version = line.split()[:3]
            yield name, version.strip("(")


def _download(exactly: Sequence[str], folder: Path) -> None:
    try:
        _apt(["download", *exactly], folder)
    except FetchFailedError as error:
        raise FetchFailedError(f"{error}\nThe host's package lists may be old: apt-get update renews them.") from None


def _unpack_one(package: Path, root: Path) -> None:
    archive = package.with_suffix(".tar")
    with archive.open("wb") as stream:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=stream, check=True, timeout=_DEADLINE)
    exclude = [f"--exclude=./{path}" for path in _UNUSED]
    run(["tar", "--extract", "--keep-directory-symlink", f"--file={archive}", *exclude], root)
    archive.unlink()


def _apt(arguments: Sequence[str], directory: Path) -> str:
    settings = ("APT::Sandbox::User=root", "APT::Install-Recommends=false", "Acquire::Retries=3", "APT::Color=false")
    options = [f"--option={each}" for each in (*settings, "Acquire::http::Timeout=60", "Acquire::https::Timeout=60")]
    return run(["apt-get", "--yes", "--quiet", *options, *arguments], directory)


def run(command: Sequence[str], directory: Path) -> str:
    """Run a command in a folder and answer what it prints; raise FetchFailedError with its last words."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=directory, env=environment, timeout=_DEADLINE
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-10:]
        raise FetchFailedError("\n".join([f"{command[0]} failed while an image was made of packages:", *said]))
    return done.stdout
