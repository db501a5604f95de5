"""What the operator remembers of one platform between two passes; all of it can be found again in the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecommerce_operator.applier import Applier
from ecommerce_operator.cluster import Cluster
from ecommerce_operator.inventory import Inventory
from ecommerce_operator.kinds import Key
from ecommerce_operator.manifests import Manifest, Owner
from ecommerce_operator.model import Log
from ecommerce_operator.store import Store


@dataclass(slots=True)
class Retry:
    """A Job that failed for good: which one it was, how often that happened, and when it is made again."""

    uid: str
    count: int
    due: float


@dataclass(slots=True)
class Looked:
    """Something that was read from the API and is taken as true until `until`."""

    until: float
    value: Any


@dataclass(slots=True)
class Memory:
    """One platform's. `body` is the resource as it was last seen; `drifted` what was corrected in this pass."""

    namespace: str
    name: str
    body: Mapping[str, Any]
    applier: Applier
    drifted: list[str]
    seed: bytes | None = None
    inventory: Inventory | None = None
    manifests: dict[str, tuple[Manifest, ...]] = field(default_factory=dict)
    retries: dict[Key, Retry] = field(default_factory=dict)
    looked: dict[str, Looked] = field(default_factory=dict)
    lines: dict[Log, tuple[int, str]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    deleting_since: float = 0.0

    @classmethod
    def of(cls, body: Mapping[str, Any], cluster: Cluster, store: Store) -> "Memory":
        """Answers an empty memory of a platform."""
        meta, drifted = body["metadata"], list[str]()
        applier = Applier(cluster, store, meta["name"], drifted.append)
        return cls(meta["namespace"], meta["name"], body, applier, drifted)

    @property
    def owner(self) -> Owner:
        """The platform as the owner of its objects."""
        return Owner(self.name, self.namespace, self.body["metadata"]["uid"])

    def take(self, body: Mapping[str, Any]) -> None:
        """Takes the resource as it is now, unless something newer is known."""
        if int(body["metadata"]["resourceVersion"]) >= int(self.body["metadata"]["resourceVersion"]):
            self.body = body

    async def record(self) -> None:
        """Writes the inventory if it is another than the one that is there."""
        if self.inventory is not None:
            await self.applier.ensure(self.inventory.manifest(self.owner))

    def hide(self, text: str) -> str:
        """Answers the text without any of the platform's secrets."""
        for secret in self.hidden:
            text = text.replace(secret, "…")
        return text
