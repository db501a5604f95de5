"""The standard health service, fed by the service's own idea of whether it is ready.

Checks for a service's name, and for the server as a whole (""), say whether it can do its work: while something that
it needs is missing, Kubernetes sends it no calls. Checks for "liveness" only say that the process answers: a missing
database is no reason to restart it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse

log = structlog.get_logger(__name__)

# Answers the names of what is missing for the service to work; none means ready.
Readiness = Callable[[], Awaitable[list[str]]]

LIVENESS: Final = "liveness"
# Seconds between two questions whether the service is ready, and how long one may take.
PERIOD: Final = 1.0
TIMEOUT: Final = 2.0


class Health(health.aio.HealthServicer):  # type: ignore[misc] # shipped without types
    """The health servicer of one server; without `readiness` it is always ready."""

    def __init__(self, services: Sequence[str], readiness: Readiness | None) -> None:
        super().__init__()
        self._services = services
        self._readiness = readiness
        self._missing: list[str] | None = None

    async def run(self) -> None:
        """Asks again and again, until cancelled."""
        while self._readiness is not None:
            await asyncio.sleep(PERIOD)
            await self.run_once()

    async def run_once(self) -> None:
        """Asks what is missing and sets every status."""
        missing = await self._ask()
        status = HealthCheckResponse.NOT_SERVING if missing else HealthCheckResponse.SERVING
        await self.set(LIVENESS, HealthCheckResponse.SERVING)
        for name in ("", *self._services):
            await self.set(name, status)
        if missing != self._missing:
            log.info("not ready" if missing else "ready", missing=missing)
            self._missing = missing

    async def _ask(self) -> list[str]:
        if self._readiness is None:
            return []
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._readiness()
        except Exception as error:  # noqa: BLE001 # a question without an answer is an answer
            return [f"readiness ({type(error).__name__})"]
