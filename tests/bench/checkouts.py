"""States of the code that can be measured: the one at hand, and any commit in a git worktree of its own.

The worktree is in a temporary folder and goes with it. It uses the packages at hand where its uv.lock is the same, and
otherwise gets a virtual environment of its own.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parents[2]
# Seconds; packages may have to be fetched.
_GIT: Final = 120
_SYNC: Final = 900


class UnknownStateError(Exception):
    """The message says which state is not there, or what it lacks."""


@dataclass(frozen=True)
class Checkout:
    """Where a state of the code is, and the Python with its packages."""

    folder: Path
    python: Path

    @property
    def has_cache(self) -> bool:
        """Whether its gateway has a response cache."""
        return "response_cache_bytes" in (self.folder / "services/gateway/__main__.py").read_text()


def at_hand(folder: Path = HERE) -> Checkout:
    """Answers the state that this very code is of, changes included that are not committed."""
    return Checkout(folder, Path(sys.executable))


@contextmanager
def checked_out(ref: str, source: Path = HERE) -> Iterator[Checkout]:
    """Puts a commit into a folder for a while; raises UnknownStateError where git or uv cannot."""
    commit = _resolved(ref, source)
    with tempfile.TemporaryDirectory(prefix="ecommerce-bench-") as temporary:
        folder = Path(temporary, "checkout")
        try:
            _run(["git", "worktree", "add", "--quiet", "--detach", str(folder), commit], source, _GIT)
            yield Checkout(folder, _python(folder, source))
        finally:
            remove = ["git", "worktree", "remove", "--force", str(folder)]
            subprocess.run(remove, cwd=source, timeout=_GIT, check=False, capture_output=True)


def _resolved(ref: str, source: Path) -> str:
    asked = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"]
    found = subprocess.run(asked, cwd=source, timeout=_GIT, check=False, capture_output=True, text=True)
    if found.returncode:
        raise UnknownStateError(f"AGAINST={ref}: git knows no commit of that name.")
    return found.stdout.strip()


def _python(folder: Path, source: Path) -> Path:
    if (folder / "uv.lock").read_bytes() == (source / "uv.lock").read_bytes():
        return Path(sys.executable)
    _run(["uv", "sync", "--quiet", "--frozen"], folder, _SYNC)
    return folder / ".venv/bin/python"


def _run(command: list[str], folder: Path, seconds: float) -> None:
    # The environment that this runs in would be taken for the worktree's own.
    own = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")}
    done = subprocess.run(command, cwd=folder, env=own, timeout=seconds, check=False, capture_output=True, text=True)
    if done.returncode:
        raise UnknownStateError(f"{' '.join(command[:3])} failed: {done.stderr.strip()}")
