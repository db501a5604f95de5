"""Removes what no image of the checkout as it is now needs.

Of the engine's store, names of ours that are not those of now; of the cache, archives, blobs and layers. Downloads
stay.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from local.cache import cache_directory, locked
from local.images import standins
from local.images.building import kept_names
from local.images.carriers import REGISTRY, carrier_images
from local.images.engines import Buildah, Engine, ImageError, store_directory
from local.progress import Report


def prune(chosen: Engine, report: Report) -> None:
    """Remove it, and report what was removed. Of services and operator, only images as they are now stay."""
    with locked("images"):
        alone = isinstance(chosen, Buildah)
        kept = set(kept_names(chosen, report, stand_ins=alone).values())
        if alone:
            carried = carrier_images(report)
            stores = standins.datastores(report)
            kept |= {each.reference for each in carried.values()}
            folders = {layer.path.parent for each in (*carried.values(), *stores.values()) for layer in each.layers}
            _remove_folders(cache_directory().glob("image-*"), folders, report)
        _remove_names(chosen, kept, report)
        if alone:
            _remove_files(store_directory(), report)


def _remove_names(chosen: Engine, kept: set[str], report: Report) -> None:
    for name in chosen.names():
        if name.startswith(f"{REGISTRY}/") and name not in kept:
            try:
                chosen.remove(name)
            except ImageError as error:  # a container may use it, with an engine that others use, too
                report(f"  {error}")
            else:
                report(f"  {name}  removed")
    chosen.forget_dangling()


def _remove_folders(found: Iterable[Path], kept: set[Path], report: Report) -> None:
    for folder in found:
        if folder.is_dir() and folder not in kept:
            shutil.rmtree(folder)
            report(f"  {folder.name}  removed")


def _remove_files(store: Path, report: Report) -> None:
    """Remove what was taken out of the store, and archives but the newest, which a cluster may be about to read."""
    for name in ("exported", "blobs"):
        shutil.rmtree(store / name, ignore_errors=True)
    for kind in ("platform", "datastores"):
        for archive in sorted((store / "archives").glob(f"{kind}-*.tar"), key=lambda each: each.stat().st_mtime)[:-1]:
            archive.unlink()
            report(f"  {archive.name}  removed")
