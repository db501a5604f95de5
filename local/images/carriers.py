"""Images that the Dockerfile starts from, made here where no registry brings the public ones.

Each carries what the recipe takes from its public namesake at the same path: a root file system with Python, the
program `uv`, the program `helm`.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.cache import obtain
from local.errors import FetchFailedError
from local.images.archives import Configuration, Image, image, write_archive
from local.images.base import base_layer
from local.images.engines import Engine, store_directory
from local.images.layers import Layer, Owner, write_layer
from local.images.recipe import recipe
from local.kubernetes.tools import tool
from local.progress import Report
from local.tools import require

REGISTRY = "docker.io/ecommerce-platform"
_DEADLINE = 600


def carriers(engine: Engine, report: Report) -> Mapping[str, str]:
    """Answer the Dockerfile's image arguments; the images are in the engine's store."""
    made = carrier_images(report)
    for each in made.values():
        if not engine.has(each.reference):
            archive = store_directory() / f"{each.digest}.tar"
            write_archive(archive, [each])
            engine.load(archive)
            archive.unlink()
    return {argument: each.reference for argument, each in made.items()}


def carrier_images(report: Report) -> Mapping[str, Image]:
    """Answer the images by the Dockerfile's argument; what they are made of is fetched at first use."""
    return {"BASE_IMAGE": _base(report), "UV_IMAGE": _uv(report), "HELM_IMAGE": _helm(report)}


def named(name: str, configuration: Configuration, layers: list[Layer]) -> Image:
    """Answer the image of these layers, with a digest of itself for its tag."""
    digest = hashlib.sha256(configuration.text(layers)).hexdigest()
    return image(f"{REGISTRY}/{name}:{digest[:12]}", configuration, layers)


def packed(key: str, fill: Callable[[Path], None], report: Report, owners: Sequence[Owner] = ()) -> Layer:
    """Answer the layer of a folder that `fill` fills; kept under a key that says all that it depends on."""

    def make(folder: Path) -> None:
        root = folder / "root"
        root.mkdir()
        fill(root)
        write_layer(root, folder / "layer.tar", owners)
        shutil.rmtree(root)

    return Layer.read(obtain(f"image-{key}", make, report) / "layer.tar")


def _base(report: Report) -> Image:
    return named("base", Configuration(), [base_layer(report)])


def _uv(report: Report) -> Image:
    version = recipe().defaults["UV_IMAGE"].rpartition(":")[2]

    def fill(root: Path) -> None:
        command = [require("uv"), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
        done = subprocess.run(
            [*command, "--target", str(root / "package"), f"uv=={version}"],
            check=False, capture_output=True, text=True, timeout=_DEADLINE,
        )  # fmt: skip
        if done.returncode:
            raise FetchFailedError(f"uv {version} could not be installed:\n{done.stderr[-1000:]}")
        (root / "package/bin/uv").rename(root / "uv")
        shutil.rmtree(root / "package")

    return named("uv", Configuration(), [packed(f"uv-{version}", fill, report)])


def _helm(report: Report) -> Image:
    program = tool("helm", report)
    digest = hashlib.sha256(program.read_bytes()).hexdigest()[:8]

    def fill(root: Path) -> None:
        (root / "usr/bin").mkdir(parents=True)
        shutil.copy(program, root / "usr/bin/helm")

    return named("helm", Configuration(), [packed(f"helm-{digest}", fill, report)])
