"""Tells people what was observed: the resource's status, written only when it changes, and its events."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ecommerce_operator import status as statuses
from ecommerce_operator.cluster import Cluster
from ecommerce_operator.errors import NotFoundError, RefusedError
from ecommerce_operator.events import Events
from ecommerce_operator.kinds import GATEWAY, INGRESS, Key
from ecommerce_operator.memory import Looked, Memory
from ecommerce_operator.metrics import READY
from ecommerce_operator.model import Health, Observation, OperatorSettings, State
from ecommerce_operator.spec import Platform
from ecommerce_operator.store import Store

LOOKED: Final = 60.0  # seconds for which a Gateway's address is taken as it was read


class Publisher:
    """Writes statuses and events of platforms."""

    def __init__(
        self, cluster: Cluster, store: Store, events: Events, settings: OperatorSettings, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._events = events
        self._settings = settings
        self._clock = clock

    async def publish(
        self, platform: Platform, memory: Memory, observations: Sequence[Observation], trouble: Health | None
    ) -> None:
        """Writes the status if it is another one, and tells what has become of the components since the last."""
        version = platform.spec.version or self._settings.version
        address = await self._address(platform, memory)
        previous = memory.body.get("status") or {}
        new = statuses.status(
            platform, previous, observations, datetime.now(UTC), version=version, address=address, trouble=trouble
        )
        READY.labels(memory.namespace, memory.name).set(sum(one.health.ready for one in observations))
        await self.write(memory, new)
        await self._tell(memory, previous, observations)

    async def refuse(self, memory: Memory, sentence: str) -> None:
        """Says that the resource is not understood."""
        previous = memory.body.get("status") or {}
        await self.write(memory, statuses.invalid(memory.body, previous, sentence, datetime.now(UTC)))

    async def write(self, memory: Memory, new: Mapping[str, Any]) -> None:
        """Writes a status that differs from the one that is there."""
        if new != (memory.body.get("status") or {}):
            try:
                memory.take(await self._cluster.set_status(memory.body, new))
            except NotFoundError:
                return  # the resource is gone; the watch will say so

    async def _tell(self, memory: Memory, previous: Mapping[str, Any], observations: Sequence[Observation]) -> None:
        for sentence in memory.drifted:
            await self._events.tell(memory.body, "DriftCorrected", sentence)
        memory.drifted.clear()
        before = {one["name"]: one for one in previous.get("components") or ()}
        for one in observations:
            known = before.get(one.component, {})
            if one.health.state is State.FAILED and known.get("message") != one.health.message:
                text = f"{one.component}: {one.health.message or one.health.reason}"
                await self._events.tell(memory.body, one.health.reason, text, warning=True)
            elif one.health.ready and not one.pending and not one.paused and known.get("ready") is not True:
                await self._events.tell(memory.body, "ComponentReady", f"{one.component} is ready.")

    async def _address(self, platform: Platform, memory: Memory) -> str:
        ingress = platform.spec.ingress
        if ingress.type == "Ingress":
            objects = self._store.of_platform(memory.namespace, memory.name)
            found = (statuses.address_of(seen.body) for seen in objects if seen.key.kind is INGRESS)
            return next(filter(None, found), "")
        if ingress.type == "HTTPRoute":
            return await self._gateway(memory, ingress.gateway.namespace or memory.namespace, ingress.gateway.name)
        return ""

    async def _gateway(self, memory: Memory, namespace: str, name: str) -> str:
        known = memory.looked.get("gateway")
        if known is None or known.until < self._clock():
            try:
                gateway = await self._cluster.get(Key(GATEWAY, namespace, name))
            except RefusedError:
                gateway = None
            address = statuses.address_of(gateway) if gateway else ""
            known = memory.looked["gateway"] = Looked(self._clock() + (LOOKED if address else LOOKED / 6), address)
        return str(known.value)
