"""Each image gets the packages of its service's group and no others: what a service imports has to be among them."""

import ast
import re
import subprocess
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from sys import stdlib_module_names

import pytest

from local.topology import NAMES

ROOT = Path(__file__).parents[3]
OURS = ("services", "protos")


def imported_by(file: Path) -> Iterator[str]:
    """The modules that a file names, with what it takes from a package as if that were a module, too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def needed(service: str) -> set[str]:
    """The packages that the service's own files import, and those of ours that they lead to."""
    pending = [*ROOT.glob(f"services/{service}/**/*.py")]
    seen, packages = set(pending), set[str]()
    while pending:
        for module in imported_by(pending.pop()):
            package = module.partition(".")[0]
            if package not in OURS:
                packages.add(package)
            elif (file := file_of(module)) and file not in seen:
                seen.add(file)
                pending.append(file)
    return packages - stdlib_module_names


@pytest.mark.parametrize("service", NAMES)
def test_a_service_imports_what_its_image_has(service: str) -> None:
    """No import of a service fails in its image."""
    command = ["uv", "export", "--quiet", "--frozen", "--only-group", service, "--no-hashes", "--no-annotate"]
    exported = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603 our own words
    installed = {re.split(r"[\[= ;]", line, maxsplit=1)[0].lower() for line in exported.splitlines()}
    distributions = packages_distributions()
    missing = {
        package
        for package in needed(service)
        if not installed & {re.sub(r"[-_.]+", "-", name).lower() for name in distributions.get(package, [package])}
    }
    assert not missing
