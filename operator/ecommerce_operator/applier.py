"""Keeps objects as they are wished, and asks the API server only about those that may differ.

What was verified once is remembered: the wish's digest, the object's identity, and the set of fields that the server
holds us to own. As long as all three are as they were there is nothing to do. An object of which the watch shows
something else is applied again; if that changed it although the wish is the same, somebody had interfered.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.kinds import DEPLOYMENT, Key
from ecommerce_operator.manifests import Manifest
from ecommerce_operator.metrics import DRIFT
from ecommerce_operator.store import Seen, Store


@dataclass(frozen=True, slots=True)
class _Verified:
    digest: str
    uid: str
    ownership: str


class Applier:
    """One platform's. `drifted` is told of each object that was brought back, in words for a person."""

    def __init__(self, cluster: Cluster, store: Store, platform: str, drifted: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._store = store
        self._platform = platform
        self._drifted = drifted
        self._verified: dict[Key, _Verified] = {}

    async def ensure(self, manifest: Manifest) -> Seen:
        """Answers the object as it is once it is as wished; one that is being deleted is left until it is gone."""
        key = manifest.key
        seen, known = self._store.get(key, self._platform), self._verified.get(key)
        if seen and (seen.deleting or known == _Verified(manifest.digest, seen.uid, seen.ownership)):
            return seen
        anew = known is None or known.digest != manifest.digest
        if anew and key.kind is DEPLOYMENT and "replicas" not in manifest.body["spec"]:
            await self._cluster.hand_over_replicas(key)
        applied = await self._cluster.apply(key, manifest.body)
        self._verified[key] = _Verified(manifest.digest, applied.uid, applied.ownership)
        if not anew and (seen is None or seen.version != applied.version):
            DRIFT.labels(key.kind.name).inc()
            what = "deleted" if seen is None else "changed"
            self._drifted(f"{key.title} had been {what} by somebody else; it is as it should be again.")
        return applied

    def forget(self, key: Key) -> None:
        """Notes that an object is not wished any more."""
        self._verified.pop(key, None)
