"""Downloads kept outside the checkout, one folder for each artifact and version.

A folder appears under its final name only when it is complete: it is built beside it and renamed. A file lock lets two
runs at once build it only once. Deleting the cache costs nothing but the next download.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from local.progress import Report


def cache_directory() -> Path:
    """Answer `$ECOMMERCE_CACHE`, else `ecommerce-platform` in the user's cache directory."""
    chosen = os.environ.get("ECOMMERCE_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "ecommerce-platform"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock of that name; waits for whoever has it. The kernel frees it when a holder dies."""
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def obtain(key: str, build: Callable[[Path], None], report: Report) -> Path:
    """Answer the cached folder `key`, filled by `build(folder)` where it is not there yet."""
    folder = cache_directory() / key
    if not folder.is_dir():
        _fill(folder, build, report)
    return folder


def _fill(folder: Path, build: Callable[[Path], None], report: Report) -> None:
    with locked(folder.name):
        if folder.is_dir():
            return
        began = monotonic()
        report(f"  {folder.name:<28} fetching")
        _build(folder, build)
        report(f"  {folder.name:<28} fetched  {monotonic() - began:5.1f} s")


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    for abandoned in folder.parent.glob(f".{folder.name}-*"):  # by a run that was killed; we hold the lock
        shutil.rmtree(abandoned, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        build(staging)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
