"""What goes into an image, and the tag that comes of it."""

import ast
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.images.recipe import CHECKOUT, EVERYTHING, Recipe, content, fingerprints, recipe, target
from local.topology import NAMES

BASE = {"BASE_IMAGE": "registry.example.com/python:1"}


def test_the_recipe_starts_from_three_images() -> None:
    """Each image that the recipe starts from is an argument with a public, pinned default."""
    defaults = recipe().defaults
    assert set(defaults) == {"BASE_IMAGE", "UV_IMAGE", "HELM_IMAGE"}
    assert all(":" in image.rpartition("/")[2] and not image.endswith(":latest") for image in defaults.values())


def test_a_stage_takes_what_the_stages_that_it_copies_from_take() -> None:
    """Files are followed through stages, and continued lines are one instruction."""
    text = (
        "ARG A=x\nFROM ${A} AS one\nCOPY a \\\n  b/${SERVICE} /c/\nFROM ${A} AS two\nCOPY --from=one /c /c\nCOPY d e\n"
    )
    parsed = Recipe.parse(text)
    assert parsed.defaults == {"A": "x"}
    assert parsed.copied("two", "order") == ["a", "b/order", "d"]


@pytest.mark.parametrize("service", NAMES)
def test_every_service_has_all_the_modules_that_it_imports(service: str) -> None:
    """Whatever a service imports of ours, directly or through others, is in its image."""
    copied = _copied(service)
    assert CHECKOUT / f"services/{service}/__main__.py" in copied
    missing = {path for path in _imported(CHECKOUT / f"services/{service}/__main__.py") if path not in copied}
    assert not missing


@pytest.mark.parametrize("service", NAMES)
def test_no_service_carries_another(service: str) -> None:
    """Only what a service needs goes in: not the code of the others, not the operator's."""
    others = [name for name in EVERYTHING if name != service]
    assert not [path for path in _copied(service) for name in others if f"/services/{name}/" in f"{path}/"]


@pytest.mark.parametrize("service", EVERYTHING)
def test_every_image_has_its_own_group_of_packages(service: str) -> None:
    """The recipe installs the dependency group that is named like the image."""
    assert service in tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]


@pytest.mark.parametrize("service", EVERYTHING)
def test_the_ignore_file_lets_through_what_the_recipe_copies(service: str) -> None:
    """Each path that is copied has been let through by .dockerignore, which keeps everything else away."""
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    through = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    for path in recipe().copied(target(service), service):
        assert {path, *(parent.as_posix() for parent in Path(path).parents)} & through


def test_a_tag_depends_on_what_the_image_starts_from_and_on_nothing_of_the_moment() -> None:
    """The same files and the same base give the same tag; another base gives another."""
    assert content("account", BASE) == content("account", dict(BASE))
    assert content("account", BASE) != content("account", {"BASE_IMAGE": "registry.example.com/python:2"})
    assert len({content(name, BASE) for name in EVERYTHING}) == len(EVERYTHING)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "charts/a").mkdir(parents=True)
    (tmp_path / "charts/a/values.yaml").write_text("replicas: 1\n")
    (tmp_path / "charts/lib").symlink_to("a")
    return tmp_path


def test_times_and_byte_code_change_no_tag(tree: Path) -> None:
    """A file that is only touched, or compiled, is the same file."""
    before = _of(tree)
    os.utime(tree / "charts/a/values.yaml", (1, 1))
    (tree / "charts/__pycache__").mkdir()
    (tree / "charts/__pycache__/a.cpython-311.pyc").write_bytes(b"code")
    assert _of(tree) == before


def test_each_change_of_content_changes_the_tag(tree: Path) -> None:
    """Another byte, another name, another link and another mode each tell."""
    seen = {_of(tree)}
    (tree / "charts/a/values.yaml").write_text("replicas: 2\n")
    seen.add(_of(tree))
    (tree / "charts/a/values.yaml").chmod(0o755)
    seen.add(_of(tree))
    (tree / "charts/a/values.yaml").rename(tree / "charts/a/others.yaml")
    seen.add(_of(tree))
    (tree / "charts/lib").unlink()
    (tree / "charts/lib").symlink_to("b")
    seen.add(_of(tree))
    assert len(seen) == 5


def _of(tree: Path) -> tuple[bytes, ...]:
    return tuple(fingerprints(tree, ["charts"]))


def _copied(service: str) -> set[Path]:
    found: set[Path] = set()
    for pattern in recipe().copied(target(service), service):
        for path in CHECKOUT.glob(pattern):
            found |= set(path.rglob("*")) if path.is_dir() else {path}
    return found


def _imported(start: Path) -> set[Path]:
    """Answer the files of all modules of ours that a module comes to load."""
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += [file for name in _names(path) for file in _files(name)]
    return seen


def _names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name: str) -> Iterator[Path]:
    if name.split(".", maxsplit=1)[0] in {"services", "protos"}:
        place = CHECKOUT / name.replace(".", "/")
        yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())
