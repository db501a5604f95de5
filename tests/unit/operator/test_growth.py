"""Claims about volumes that are to be larger."""

from typing import Any, cast

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.growth import grow
from ecommerce_operator.kinds import CLAIM, STATEFUL_SET, Key, Kind, Phase
from ecommerce_operator.manifests import Manifest
from ecommerce_operator.store import Seen


class Asked:
    """Notes what the cluster is asked for."""

    def __init__(self) -> None:
        self.grown: dict[str, str] = {}
        self.orphaned: list[str] = []

    async def grow_claim(self, seen: Seen, size: str) -> None:
        self.grown[seen.key.name] = size

    async def delete(self, seen: Seen, *, orphan: bool = False) -> None:
        assert orphan
        self.orphaned.append(seen.key.name)


def claim(size: str) -> dict[str, Any]:
    return {"spec": {"resources": {"requests": {"storage": size}}}}


def seen(kind: Kind, name: str, body: dict[str, Any]) -> Seen:
    meta = {"name": name, "namespace": "here", "uid": name, "resourceVersion": "1"}
    return Seen.of(kind, {"metadata": meta, **body})


def stateful_set(size: str, template: str = "data") -> dict[str, Any]:
    return {"spec": {"volumeClaimTemplates": [{"metadata": {"name": template}, **claim(size)}]}}


def wished(body: dict[str, Any]) -> Manifest:
    return Manifest(Key(STATEFUL_SET, "here", "shop-kafka"), Phase.MAIN, body, "")


async def test_its_claims_grow_and_it_is_made_again() -> None:
    """The claims of the set that are smaller are grown, others are not, and the set goes without its pods."""
    asked = Asked()
    around = [
        seen(CLAIM, "data-shop-kafka-0", claim("8Gi")),
        seen(CLAIM, "data-shop-kafka-1", claim("9Gi")),
        seen(CLAIM, "data-shop-postgres-0", claim("8Gi")),
    ]
    live = seen(STATEFUL_SET, "shop-kafka", stateful_set("8Gi"))
    assert await grow(cast("Cluster", asked), live, wished(stateful_set("9Gi")), around)
    assert asked.grown == {"data-shop-kafka-0": "9Gi"}
    assert asked.orphaned == ["shop-kafka"]


async def test_other_changes_are_not_its_business() -> None:
    """Where no size differs, nothing is done."""
    asked = Asked()
    live = seen(STATEFUL_SET, "shop-kafka", stateful_set("8Gi"))
    assert not await grow(cast("Cluster", asked), live, wished(stateful_set("8Gi")), ())
    assert not await grow(cast("Cluster", asked), live, wished(stateful_set("9Gi", "other")), ())
    assert asked.orphaned == []
