"""Images of the datastores, for hosts that reach no registry."""
from collections.abc import Mapping
from pathlib import Path

from local.images.archives import Image
from local.progress import Report


def datastores(report: Report) -> Mapping[str, Image]:
    """Answer the images by the datastore's name."""
    return {}


def archived(images: Mapping[str, Image]) -> dict[str, Path]:
    """Answer the file that holds them."""
    return {}
