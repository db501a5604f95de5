"""Whether this gateway is alive, whether it can do its work, and which service is missing when it cannot.

Readiness asks the services behind the gateway by the standard gRPC health protocol. The answer is kept for a second,
and asked for once however many probes come, so that probes cannot burden the services. Each is asked at the same time,
under one short deadline.

What the gateway can do without is named when it is missing, and does not make the gateway unready: an unready gateway
gets no requests, and as all replicas (or all new ones, as in our chart) find the same service missing, nobody could
even read the catalogue, and no update could be rolled out.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

KEPT_SECONDS: Final = 1.0
DEADLINE_SECONDS: Final = 1.0


class Readiness:
    """Asks the services at `addresses` (name to "host:port") whether they serve."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
        *,
        can_do_without: Collection[str] = (),
    ) -> None:
        self._addresses = addresses
        self._can_do_without = can_do_without
        self._clock = clock
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._missing: list[str] = []

    async def missing(self) -> list[str]:
        """Answers the names of the services that do not serve."""
        async with self._lock:
            if self._clock() - self._asked_at > KEPT_SECONDS:
                names = list(self._addresses)
                serving = await asyncio.gather(*(self._serves(name) for name in names))
                self._missing = [name for name, serves in zip(names, serving, strict=True) if not serves]
                self._asked_at = self._clock()
        return self._missing

    def is_ready(self, missing: Collection[str]) -> bool:
        """Answers whether requests can be served with these services missing."""
        return not set(missing).difference(self._can_do_without)

    async def close(self) -> None:
        """Ends the connections."""
        for channel in self._channels.values():
            await channel.close()

    async def _serves(self, name: str) -> bool:
        if name not in self._channels:
            # A service that comes back is to be seen within a second, not after gRPC's growing pauses.
            options = (("grpc.max_reconnect_backoff_ms", 1_000), ("grpc.enable_http_proxy", 0))
            self._channels[name] = grpc.aio.insecure_channel(self._addresses[name], options=options)
        check = HealthStub(self._channels[name]).Check
        try:
            answer = await check(HealthCheckRequest(), timeout=DEADLINE_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == HealthCheckResponse.SERVING)
