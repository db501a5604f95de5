"""Larger volumes for a StatefulSet, whose claim templates the API server does not let anybody change.

The claims themselves can grow, where their storage class allows it. So they are asked to, and the StatefulSet is
removed while its pods stay; the next pass makes it again with the new size, and it takes the same pods and claims.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.kinds import CLAIM
from ecommerce_operator.manifests import Manifest
from ecommerce_operator.model import Object
from ecommerce_operator.store import Seen


async def grow(cluster: Cluster, seen: Seen, manifest: Manifest, around: Iterable[Seen]) -> bool:
    """Answers whether the size of volumes was what stood in the way, and was asked for; raises what refuses that."""
    wished, present = _sizes(manifest.body), _sizes(seen.body)
    changed = {name: size for name, size in wished.items() if present.get(name, size) != size}
    if not changed or wished.keys() != present.keys():
        return False
    for claim in around:
        size = changed.get(claim.key.name.removesuffix(_ordinal(claim.key.name, seen.key.name)))
        if claim.key.kind is CLAIM and size and _requested(claim.body) != size:
            await cluster.grow_claim(claim, size)
    await cluster.delete(seen, orphan=True)
    return True


def _sizes(body: Object) -> dict[str, str]:
    templates: Iterable[Mapping[str, Any]] = (body.get("spec") or {}).get("volumeClaimTemplates") or ()
    return {template["metadata"]["name"]: _requested(template) for template in templates}


def _requested(claim: Object) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _ordinal(claim: str, stateful_set: str) -> str:
    """Answers the part of a claim's name after its template's: `-<set>-<number>`."""
    before, found, number = claim.rpartition(f"-{stateful_set}-")
    return f"{found}{number}" if before and number.isdigit() else claim
