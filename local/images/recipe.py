"""What services/Dockerfile says: the images that it starts from, and which files go into which service.

Read from the recipe itself, so that the tag of an image cannot miss a file that the recipe copies.
"""

import hashlib
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from local.errors import FetchFailedError
from local.tools import require
from local.topology import NAMES

CHECKOUT = Path(__file__).parents[2]
DOCKERFILE = CHECKOUT / "services/Dockerfile"
OPERATOR = "operator"
EVERYTHING = (*NAMES, OPERATOR)

# These two go in as the service's own share of them: its locked packages.
_LOCKED = frozenset({"pyproject.toml", "uv.lock"})
_DEADLINE = 120
_TAG_LENGTH = 12


@dataclass(frozen=True)
class Recipe:
    """The Dockerfile's stages, as the instructions of each, and the defaults of its first arguments."""

    defaults: Mapping[str, str]
    stages: Mapping[str, tuple[str, ...]]

    @classmethod
    def parse(cls, text: str) -> "Recipe":
        """Read a Dockerfile in which every stage has a name."""
        defaults: dict[str, str] = {}
        stages: dict[str, list[str]] = {}
        current: list[str] | None = None
        for instruction in _instructions(text):
            if named := re.fullmatch(r"FROM (\S+) AS (\S+)", instruction):
                current = stages.setdefault(named[2], [instruction])
            elif current is not None:
                current.append(instruction)
            elif argument := re.fullmatch(r"ARG (\w+)=(\S+)", instruction):
                defaults[argument[1]] = argument[2]
        return cls(defaults, {name: tuple(lines) for name, lines in stages.items()})

    def copied(self, target: str, service: str) -> list[str]:
        """Answer the patterns of the checkout's files that a stage, and all it copies from, takes for a service."""
        found: list[str] = []
        for instruction in self.stages[target]:
            words = instruction.split()
            if words[0] == "COPY" and words[1].startswith("--from="):
                found += self.copied(words[1].removeprefix("--from="), service)
            elif words[0] == "COPY":
                found += [word.replace("${SERVICE}", service) for word in words[1:-1]]
        return sorted(set(found))


def _instructions(text: str) -> Iterator[str]:
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for instruction in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        yield instruction.strip()


def recipe() -> Recipe:
    """Answer the recipe of the checkout."""
    return Recipe.parse(DOCKERFILE.read_text())


def target(service: str) -> str:
    """Answer the stage that is a service's image."""
    return OPERATOR if service == OPERATOR else "service"


def content(service: str, starts_from: Mapping[str, str]) -> str:
    """Answer the tag of a service's image: a digest of all that goes in and of the images that it starts from."""
    patterns = [each for each in recipe().copied(target(service), service) if each not in _LOCKED]
    whole = hashlib.sha256(DOCKERFILE.read_bytes())
    whole.update(repr(sorted(starts_from.items())).encode())
    whole.update(locked_packages(service, (CHECKOUT / "uv.lock").stat().st_mtime_ns).encode())
    for part in fingerprints(CHECKOUT, patterns):
        whole.update(part)
    return whole.hexdigest()[:_TAG_LENGTH]


def fingerprints(root: Path, patterns: Iterable[str]) -> Iterator[bytes]:
    """Yield what tells each file that the patterns name: its path, whether it can be run, and its bytes."""
    for path in sorted({file for pattern in patterns for file in _files(root, pattern)}):
        name = path.relative_to(root).as_posix().encode()
        if path.is_symlink():
            yield b"\0".join((name, b"link", str(path.readlink()).encode()))
        else:
            runs = b"x" if path.stat().st_mode & 0o100 else b"-"
            yield b"\0".join((name, runs, hashlib.sha256(path.read_bytes()).digest()))


def _files(root: Path, pattern: str) -> Iterator[Path]:
    for path in root.glob(pattern):
        below = path.rglob("*") if path.is_dir() else [path]
        for file in below:
            if (file.is_symlink() or file.is_file()) and not _ignored(file):
                yield file


def _ignored(path: Path) -> bool:
    """Tell whether .dockerignore keeps a file away."""
    return path.suffix == ".pyc" or "__pycache__" in path.parts or path == DOCKERFILE


@cache
def locked_packages(service: str, _changed: int) -> str:
    """Answer a service's packages with their versions and hashes, as the recipe installs them."""
    command = [require("uv"), "export", "--quiet", "--frozen", "--no-header", "--no-default-groups"]
    done = subprocess.run(
        [*command, "--only-group", service],
        check=False, capture_output=True, text=True, cwd=CHECKOUT, timeout=_DEADLINE,
    )  # fmt: skip
    if done.returncode:
        raise FetchFailedError(f"uv could not read the packages of {service} from uv.lock:\n{done.stderr[-1000:]}")
    return done.stdout


def version_of(contents: Iterable[str]) -> str:
    """Answer the one tag that several images carry together."""
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()[:_TAG_LENGTH]
