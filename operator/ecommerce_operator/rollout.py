"""Applies one release phase by phase: what pods need, the migration, the rest, and what needs the release's own pods.

A Job is named by its content, so a changed migration is a new Job; one that an older wish left unfinished is removed
first. A Job that failed for good is removed and made again, after a pause that grows: its cause may be gone.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.errors import RefusedError
from ecommerce_operator.growth import grow
from ecommerce_operator.kinds import JOB, STATEFUL_SET, Key, Phase
from ecommerce_operator.manifests import Manifest
from ecommerce_operator.memory import Memory, Retry
from ecommerce_operator.model import STAGE_ANNOTATION, Object
from ecommerce_operator.observer import Observer
from ecommerce_operator.store import Seen, Store

# Seconds before a Job that failed for good is made again: the first time, and at most.
RETRY: Final = (20.0, 600.0)


class Rollout:
    """Applies releases."""

    def __init__(self, cluster: Cluster, store: Store, observer: Observer, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._store = store
        self._observer = observer
        self._clock = clock

    async def advance(self, memory: Memory, component: str, manifests: Sequence[Manifest], *, steady: bool) -> bool:
        """Applies as much as its stages allow and answers whether that was all.

        `steady` says that all of it was applied before: then nothing waits, and each object is only kept as it is.
        """
        for phase, group in groupby(manifests, lambda manifest: manifest.phase):
            members = tuple(group)
            if phase is Phase.PROVISION and not steady and not await self._started(memory, component, manifests):
                return False
            if phase in (Phase.MIGRATE, Phase.PROVISION):
                await self._clear(memory, component, members)
            for manifest in members:
                await self._ensure(memory, component, manifest)
            if phase is Phase.MIGRATE and not steady and not self._complete(memory, members):
                return False
        return True

    def retries_at(self, memory: Memory) -> float | None:
        """Answers when the next failed Job is due to be made again, by the clock."""
        return min((retry.due for retry in memory.retries.values()), default=None)

    async def _ensure(self, memory: Memory, component: str, manifest: Manifest) -> None:
        if manifest.key.kind is JOB and await self._failed(memory, manifest.key):
            return
        try:
            await memory.applier.ensure(manifest)
        except RefusedError as error:
            seen = self._store.get(manifest.key, memory.name)
            if manifest.key.kind is not STATEFUL_SET or seen is None or error.status != 422:
                raise
            claims = self._claims(memory, component)
            if not await grow(self._cluster, seen, manifest, claims):
                raise

    async def _failed(self, memory: Memory, key: Key) -> bool:
        """Answers whether the Job failed for good; when its pause is over it is removed, to be made again."""
        seen = self._store.get(key, memory.name)
        if seen is None:
            return False
        if not has_condition(seen.body, "Failed"):
            if has_condition(seen.body, "Complete"):
                memory.retries.pop(key, None)
            return False
        known = memory.retries.get(key)
        if known is None or known.uid != seen.uid:
            count = known.count + 1 if known else 0
            due = self._clock() + min(RETRY[0] * 2.0**count, RETRY[1])
            known = memory.retries[key] = Retry(seen.uid, count, due)
        if known.due <= self._clock() and not seen.deleting:
            known.due = self._clock() + RETRY[1]
            memory.applier.forget(key)
            await self._cluster.delete(seen)
        return True

    async def _clear(self, memory: Memory, component: str, wished: Iterable[Manifest]) -> None:
        """Removes Jobs of an older wish that did not complete: two migrations must not run beside each other."""
        keys = {manifest.key for manifest in wished}
        for seen in self._store.of_platform(memory.namespace, memory.name):
            stale = seen.key.kind is JOB and seen.component == component and seen.key not in keys
            if stale and STAGE_ANNOTATION in seen.annotations and not seen.deleting:
                if has_condition(seen.body, "Complete"):
                    continue
                memory.retries.pop(seen.key, None)
                await self._cluster.delete(seen)

    async def _started(self, memory: Memory, component: str, manifests: Iterable[Manifest]) -> bool:
        main = [manifest for manifest in manifests if manifest.phase is Phase.MAIN]
        return (await self._observer.health(memory, component, main)).ready

    def _complete(self, memory: Memory, jobs: Iterable[Manifest]) -> bool:
        found = [self._store.get(job.key, memory.name) for job in jobs]
        return all(seen is not None and has_condition(seen.body, "Complete") for seen in found)

    def _claims(self, memory: Memory, component: str) -> list[Seen]:
        objects = self._store.of_platform(memory.namespace, memory.name)
        return [seen for seen in objects if seen.component == component]


def has_condition(obj: Object, name: str) -> bool:
    """Answers whether a condition of an object's status is true."""
    conditions: Iterable[Any] = (obj.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == name and one.get("status") == "True" for one in conditions)
