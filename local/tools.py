"""Programs and libraries that must come from the host, and how to get each."""

import ctypes
import ctypes.util
import shutil
from pathlib import Path

from local.errors import ToolMissingError

HOW_TO_GET = {
    "mvn": "apt-get install maven",
    "java": "apt-get install default-jre-headless (only Maven needs it)",
    "uv": "pipx install uv, or pip install uv",
    "setpriv": "apt-get install util-linux",
    "unshare": "apt-get install util-linux",
    "libzstd": "apt-get install libzstd1",
    "libgomp": "apt-get install libgomp1",
}


def missing(*names: str) -> ToolMissingError:
    """Answer the error that names the tools and what brings each."""
    lines = (f"{name} is missing on this host. To get it: {HOW_TO_GET[name]}" for name in names)
    return ToolMissingError("\n".join(lines))


def require(name: str) -> str:
    """Answer the path of a program; raise ToolMissingError where there is none."""
    path = shutil.which(name)
    if path is None:
        raise missing(name)
    return path


def require_all(*names: str) -> None:
    """Raise one ToolMissingError for all the programs that are not there."""
    absent = [name for name in names if shutil.which(name) is None]
    if absent:
        raise missing(*absent)


def zstd_library() -> Path:
    """Answer the file of the host's libzstd, which Elasticsearch loads for its index files; raise ToolMissingError.

    The dynamic loader knows where it is but tells only a bare name: it is loaded here and found in our own memory map.
    """
    name = ctypes.util.find_library("zstd") or "libzstd.so.1"
    try:
        ctypes.CDLL(name)
    except OSError:
        raise missing("libzstd") from None
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = Path(line.split(maxsplit=5)[-1])
        if path.name.startswith("libzstd.so"):
            return path
    raise missing("libzstd")


def require_openmp() -> None:
    """Raise ToolMissingError where the host has no OpenMP, with which the recommender's trainer computes."""
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        raise missing("libgomp") from None
