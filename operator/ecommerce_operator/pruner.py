"""Removes what is not wished any more, once what is wished instead works; volume claims never."""

from collections.abc import Iterable, Mapping
from typing import Final

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.kinds import CLAIM, Key, parse_key
from ecommerce_operator.memory import Memory
from ecommerce_operator.store import Seen, Store

_KEPT: Final = (CLAIM,)


class Pruner:
    """Removes leftovers of platforms by their inventory."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster = cluster
        self._store = store

    async def prune(self, memory: Memory, wished: Mapping[str, Iterable[Key]]) -> None:
        """Removes, for each component in `wished`, what is recorded of it or carries its label and is not wished."""
        if memory.inventory is None:
            return
        for component, keys in wished.items():
            keep = {str(key) for key in keys}
            record = memory.inventory.of(component)
            gone = set()
            for text in sorted(record.objects - keep):
                seen = self._find(memory, text)
                if seen is None or seen.key.kind in _KEPT or not _is_ours(seen, memory):
                    gone.add(text)
                elif not seen.deleting:
                    memory.applier.forget(seen.key)
                    await self._cluster.delete(seen)
            if gone:
                memory.inventory.drop(component, gone)

    def _find(self, memory: Memory, text: str) -> Seen | None:
        key = parse_key(text, memory.namespace)
        return self._store.get(key, memory.name) if key else None


def _is_ours(seen: Seen, memory: Memory) -> bool:
    """Answers whether the platform owns the object: one of the same name may have been made by somebody else."""
    return memory.owner.uid in seen.owners
