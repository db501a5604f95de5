"""Looks at what was applied: gathers what surrounds a component's objects, and has their health judged.

Everything comes from the store but two things that only matter when something is wrong: the last lines of containers
that crashed, and the namespace's warnings. Both are read at most every few seconds.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.errors import RefusedError
from ecommerce_operator.health import READY, assess, logs_wanted, overall
from ecommerce_operator.kinds import CLAIM, POD, REPLICA_SET, Kind
from ecommerce_operator.manifests import Manifest
from ecommerce_operator.memory import Looked, Memory
from ecommerce_operator.model import Health, Log, Object, Related, State
from ecommerce_operator.store import Seen, Store

LOOKED: Final = 10.0  # seconds for which the namespace's warnings are taken as they were read


class Observer:
    """Judges components by what the store shows."""

    def __init__(self, cluster: Cluster, store: Store, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock

    async def health(self, memory: Memory, component: str, manifests: Iterable[Manifest]) -> Health:
        """Answers how the objects of a component are together, and why."""
        related = await self._related(memory, component)
        healths = [self._assess(memory, manifest, related) for manifest in manifests if manifest.key.kind.whole]
        if overall(healths) != READY:
            related = _with_events(related, await self._warnings(memory))
            healths = [self._assess(memory, manifest, related) for manifest in manifests if manifest.key.kind.whole]
        worst = overall(healths)
        return Health(worst.state, worst.reason, memory.hide(worst.message))

    def _assess(self, memory: Memory, manifest: Manifest, related: Related) -> Health:
        seen = self._store.get(manifest.key, memory.name)
        if seen is None:
            return Health(State.PROGRESSING, "Missing", f"{manifest.key.title} is not there.")
        return assess(seen.body, related)

    async def _related(self, memory: Memory, component: str) -> Related:
        around = [
            seen
            for seen in self._store.of_platform(memory.namespace, memory.name)
            if seen.component == component and seen.key.kind in (POD, CLAIM, REPLICA_SET)
        ]
        pods = _bodies(around, POD)
        return Related(
            at=datetime.now(UTC),
            pods=pods,
            replica_sets=_bodies(around, REPLICA_SET),
            claims=_bodies(around, CLAIM),
            logs=await self._logs(memory, pods),
        )

    async def _logs(self, memory: Memory, pods: list[Object]) -> dict[Log, str]:
        versions = {pod["metadata"]["name"]: _restarts(pod) for pod in pods}
        lines = {}
        for log in logs_wanted(pods):
            known = memory.lines.get(log)
            if known is None or known[0] != versions[log.pod]:
                known = versions[log.pod], await self._cluster.last_line(memory.namespace, log)
                memory.lines[log] = known
            if known[1]:
                lines[log] = known[1]
        return lines

    async def _warnings(self, memory: Memory) -> list[dict[str, Any]]:
        now = self._clock()
        known = memory.looked.get("warnings")
        if known is None or known.until < now:
            try:
                found = await self._cluster.warnings(memory.namespace)
            except RefusedError:
                found = []
            known = memory.looked["warnings"] = Looked(now + LOOKED, found)
        warnings: list[dict[str, Any]] = known.value
        return warnings


def forget_lines(memory: Memory, pods: Iterable[str]) -> None:
    """Drops the lines of pods that are gone."""
    present = set(pods)
    for log in [log for log in memory.lines if log.pod not in present]:
        del memory.lines[log]


def _bodies(around: Iterable[Seen], kind: Kind) -> list[Object]:
    return [seen.body for seen in around if seen.key.kind is kind]


def _restarts(pod: Object) -> int:
    status = pod.get("status") or {}
    containers = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    ended = sum("terminated" in (one.get("state") or {}) for one in containers)
    return sum(int(one.get("restartCount", 0)) for one in containers) * 10 + ended


def _with_events(related: Related, events: list[dict[str, Any]]) -> Related:
    return Related(
        at=related.at,
        pods=related.pods,
        replica_sets=related.replica_sets,
        claims=related.claims,
        events=events,
        logs=related.logs,
    )
