"""Which engine builds, and what a person is told when it cannot."""

from pathlib import Path

import pytest

from local.errors import ToolMissingError
from local.images.engines import Engine, ImageError, Podman, engine


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH besides the system's; docker is not in it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_an_engine_it_says_how_to_get_one(programs: Path) -> None:
    """A host that can build no image gets a sentence with the package's name."""
    assert not list(programs.iterdir())
    with pytest.raises(ToolMissingError, match="apt-get install buildah"):
        engine()
    with pytest.raises(ToolMissingError, match="podman is missing"):
        engine("podman")


def test_a_docker_client_without_its_daemon_does_not_count(programs: Path) -> None:
    """The next engine is taken where docker's daemon does not answer."""
    _program(programs, "docker", "exit 1")
    _program(programs, "podman", "exit 0")
    assert isinstance(engine(), Podman)
    _program(programs, "docker", "exit 0")
    assert type(engine()) is Engine


def test_a_failure_carries_the_engines_last_words(programs: Path) -> None:
    """What the engine said last is in the error, and nothing else of its output is needed."""
    _program(programs, "podman", "echo 'no space left on device' >&2; exit 125")
    with pytest.raises(ImageError, match=r"podman tag failed:\nno space left on device"):
        engine("podman").tag("a:1", "b:1")
    assert not engine("podman").has("a:1")
