"""How images get into each kind of cluster, and what the operator is told about them."""

import time
from pathlib import Path
from typing import Any

from local.images import Built, push
from local.images import build as build_images
from local.progress import Report
from local.up.clusters import KIND_NAME, Cluster, HostNode, Kind
from local.up.programs import run

REGISTRY = "docker.io/ecommerce-platform"
_LOAD_DEADLINE = 900.0


def build(cluster: Cluster, registry: str, report: Report) -> Built:
    """Build the images that a cluster needs; what is built already is only looked up."""
    return build_images(report, registry=registry or REGISTRY, tool=cluster.tool, stand_ins=cluster.stand_ins)


def deliver(cluster: Cluster, built: Built, report: Report) -> None:
    """Put the images where the cluster's nodes find them; what is there already is left alone."""
    match cluster:
        case HostNode():
            _import(cluster, built, report)
        case Kind():
            for reference in built.references:
                run(["kind", "load", "docker-image", "--name", KIND_NAME, reference], timeout=_LOAD_DEADLINE)
        case _:
            push(built, report)


def _import(cluster: HostNode, built: Built, report: Report) -> None:
    there = cluster.node.images()
    wanted = {reference: archive for reference, archive in built.archives.items() if reference not in there}
    for archive in sorted(set(wanted.values())):
        began = time.monotonic()
        cluster.node.load(archive)
        report(f"  {Path(archive).name:<40} {time.monotonic() - began:5.1f} s")


def operator_values(built: Built, registry: str) -> dict[str, Any]:
    """Answer the values of the operator's chart for these images."""
    source = registry or REGISTRY
    return {
        "image": {"repository": f"{source}/operator", "tag": built.operator},
        "platformVersion": built.version,
        "images": {"registry": source, **built.datastores},
    }
