"""States of the code in worktrees, with a real repository of a few files."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.checkouts import UnknownStateError, at_hand, checked_out

_GATEWAY = "services/gateway/__main__.py"


def _git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 our own words
    return done.stdout


def _commit(folder: Path, gateway: str, message: str) -> None:
    (folder / _GATEWAY).parent.mkdir(parents=True, exist_ok=True)
    (folder / _GATEWAY).write_text(gateway)
    (folder / "uv.lock").write_text("same")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    _git(folder, "init", "--quiet")
    _commit(folder, "class Settings: ...", "before")
    _commit(folder, "response_cache_bytes: int = 1", "after")
    return folder


def test_checked_out(repository: Path) -> None:
    """A commit's files are there for a while, apart from those at hand, and then they and git's record are gone."""
    with checked_out("HEAD~1", repository) as state:
        assert state.folder != repository
        assert not state.has_cache
        assert at_hand(repository).has_cache
        assert str(state.folder) in _git(repository, "worktree", "list")
    assert not state.folder.parent.exists()
    assert len(_git(repository, "worktree", "list").splitlines()) == 1


def test_packages(repository: Path) -> None:
    """With the same uv.lock the packages at hand are used."""
    with checked_out("HEAD", repository) as state:
        assert state.python == Path(sys.executable)


def test_own_packages_that_cannot_be_had(repository: Path) -> None:
    """A state with another uv.lock wants packages of its own; where they cannot be had, nothing is left."""
    (repository / "uv.lock").write_text("other packages")
    with pytest.raises(UnknownStateError, match="uv sync"), checked_out("HEAD", repository):
        pytest.fail("It has no project to get packages for.")
    assert len(_git(repository, "worktree", "list").splitlines()) == 1


def test_removed_after_an_error(repository: Path) -> None:
    """Whatever ends the benchmark, the worktree goes."""
    with pytest.raises(KeyboardInterrupt), checked_out("HEAD", repository) as state:
        raise KeyboardInterrupt
    assert not state.folder.exists()


@pytest.mark.parametrize("ref", ["nowhere", "", "--all", "HEAD:uv.lock"])
def test_unknown(repository: Path, ref: str) -> None:
    """What names no commit is refused by its name."""
    with pytest.raises(UnknownStateError, match="AGAINST="), checked_out(ref, repository):
        pytest.fail("There is no such commit.")
