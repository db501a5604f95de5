"""Takes a platform down: first what clients reach, last the datastores; then, by policy, volumes and their secrets.

Each pass looks at what is still there and does the next step, so it may be broken off anywhere. Nothing is ever made
here, which is why a namespace that is being deleted as a whole is no special case: everything in it vanishes, and the
finalizer with it.
"""

from collections.abc import Callable, Iterable
from typing import Final

import structlog

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.components import DATASTORES, SERVICES
from ecommerce_operator.errors import ConflictError, NotFoundError
from ecommerce_operator.kinds import CLAIM
from ecommerce_operator.memory import Memory
from ecommerce_operator.secrets import seed_keys
from ecommerce_operator.store import Seen, Store

FINALIZER: Final = "ecommerce.dev/platform"
# Seconds after which a step is not waited for any more: pods on a node that is gone stay for ever.
PATIENCE: Final = 300.0

log = structlog.get_logger(__name__)


class Deletion:
    """Deletes platforms step by step."""

    def __init__(self, cluster: Cluster, store: Store, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock

    async def advance(self, memory: Memory, *, with_data: bool) -> str:
        """Does the next step and answers what is waited for; empty once the resource is free to go."""
        memory.deleting_since = memory.deleting_since or self._clock()
        for step, (title, present) in enumerate(self._steps(memory, with_data=with_data)):
            if present:
                for seen in present:
                    # Pods end with what made them; each of them deleted here would only be made again.
                    if seen.key.kind.applied and not seen.deleting:
                        await self._cluster.delete(seen)
                if self._clock() - memory.deleting_since < PATIENCE * (step + 1):
                    return title
                log.warning("Something does not go away; the deletion goes on.", step=title, platform=memory.name)
        await self._release(memory)
        return ""

    def _steps(self, memory: Memory, *, with_data: bool) -> Iterable[tuple[str, list[Seen]]]:
        objects = self._store.of_platform(memory.namespace, memory.name)
        seeds = set(seed_keys(memory.namespace, memory.name))
        parts = [seen for seen in objects if seen.component and seen.key.kind is not CLAIM]
        for title, components in _order(parts):
            yield title, [seen for seen in parts if seen.component in components]
        kept = [seen for seen in objects if seen.key.kind is CLAIM or seen.key in seeds]
        yield "volumes and secrets", kept if with_data else []
        # What is no component's: derived Secrets, the inventory.
        yield "secrets", [seen for seen in objects if seen not in parts and seen not in kept]

    async def _release(self, memory: Memory) -> None:
        """Takes our finalizer off, so that the API server removes the resource."""
        finalizers = list(memory.body["metadata"].get("finalizers") or ())
        if FINALIZER in finalizers:
            finalizers.remove(FINALIZER)
            try:
                memory.take(await self._cluster.set_finalizers(memory.body, finalizers))
            except (NotFoundError, ConflictError) as error:
                # Gone already, or changed: then the watch brings it again.
                log.debug("The finalizer was not taken off.", detail=str(error))


def _order(parts: Iterable[Seen]) -> list[tuple[str, set[str]]]:
    public = {row.name for row in SERVICES if row.public}
    inner = {row.name for row in SERVICES} - public
    known = public | inner | set(DATASTORES)
    # Components that this version does not know may belong anywhere: they go together with the services.
    unknown = {seen.component for seen in parts} - known
    return [("gateway", public), ("services", inner | unknown), ("datastores", set(DATASTORES))]
