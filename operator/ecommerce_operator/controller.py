"""Who runs passes, and when: a task for each platform, woken by whatever may concern it.

Passes over one platform never overlap; those over several run side by side, up to a bound. A wake during a pass leads
to one more after it. A pass that could not reach the API server is tried again after a pause that doubles up to a
minute, and so is one that failed by a fault of ours, which is logged.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from ecommerce_operator.errors import OperatorError, UnreachableError
from ecommerce_operator.memory import Memory
from ecommerce_operator.metrics import PLATFORMS, READY, RECONCILE_SECONDS, RECONCILES

AT_ONCE: Final = 8
# Seconds. Many small changes come together: one pass sees them all.
SETTLE: Final = 0.2
PAUSE: Final = (0.5, 60.0)  # first and longest, after a failure
LIMIT: Final = 300.0  # for one pass
STALLED: Final = LIMIT * 2

log = structlog.get_logger(__name__)

Place = tuple[str, str]


@dataclass(slots=True)
class _Worker:
    memory: Memory
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    busy_since: float | None = None


class Controller:
    """Runs `reconcile`, which answers the seconds until the next pass, for every platform that is observed."""

    def __init__(
        self,
        reconcile: Callable[[Memory], Awaitable[float]],
        remember: Callable[[Mapping[str, Any]], Memory],
        ready: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reconcile = reconcile
        self._remember = remember
        self._ready = ready
        self._clock = clock
        self._workers: dict[Place, _Worker] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def observe(self, body: Mapping[str, Any], *, deleted: bool = False) -> None:
        """Takes a sight of a platform; passes over it begin with the first and end when it is deleted."""
        meta = body["metadata"]
        place = meta["namespace"], meta["name"]
        worker = self._workers.get(place)
        if worker and worker.memory.body["metadata"]["uid"] != meta["uid"]:
            if deleted:
                return  # the end of one that was replaced already
            self._end(place)
            worker = None
        if deleted:
            self._end(place)
        elif worker:
            worker.memory.take(body)
            worker.wake.set()
        else:
            self._begin(place, body)

    def wake(self, namespace: str, name: str) -> None:
        """Has a pass done over a platform soon, if there is one of that name."""
        if worker := self._workers.get((namespace, name)):
            worker.wake.set()

    def stalled(self) -> list[str]:
        """Answers the platforms over which a pass does not end."""
        limit = self._clock() - STALLED
        return [
            "/".join(place)
            for place, worker in self._workers.items()
            if worker.busy_since is not None and worker.busy_since < limit
        ]

    def version_of(self, namespace: str, name: str) -> int:
        """Answers the resourceVersion at which a platform was last seen; 0 for one that was not."""
        worker = self._workers.get((namespace, name))
        return int(worker.memory.body["metadata"]["resourceVersion"]) if worker else 0

    async def close(self) -> None:
        """Ends all passes, at once."""
        for place in list(self._workers):
            self._end(place)

    def _begin(self, place: Place, body: Mapping[str, Any]) -> None:
        worker = self._workers[place] = _Worker(self._remember(body))
        log.info("A platform is looked after.", namespace=place[0], platform=place[1])
        worker.task = asyncio.create_task(self._run(worker), name=f"platform {'/'.join(place)}")
        PLATFORMS.set(len(self._workers))

    def _end(self, place: Place) -> None:
        worker = self._workers.pop(place, None)
        if worker and worker.task:
            log.info("A platform is not looked after any more.", namespace=place[0], platform=place[1])
            worker.task.cancel()
            with contextlib.suppress(KeyError):
                READY.remove(*place)
        PLATFORMS.set(len(self._workers))

    async def _run(self, worker: _Worker) -> None:
        failures = 0
        await self._ready()
        while True:
            worker.wake.clear()
            async with self._slots:
                worker.busy_since = self._clock()
                delay = await self._pass(worker.memory)
                worker.busy_since = None
            failures = failures + 1 if delay is None else 0
            if delay is None:
                # Not cut short by a wake: a server that is away must not be asked each time something moves.
                await asyncio.sleep(min(PAUSE[0] * 2 ** min(failures - 1, 10), PAUSE[1]) * random.uniform(0.8, 1.2))
                continue
            try:
                async with asyncio.timeout(delay * random.uniform(0.9, 1.0)):
                    await worker.wake.wait()
                await asyncio.sleep(SETTLE)
            except TimeoutError:
                continue

    async def _pass(self, memory: Memory) -> float | None:
        """Does a pass; answers None when it has to be tried again."""
        begun, place = self._clock(), {"namespace": memory.namespace, "platform": memory.name}
        delay, result = None, "error"
        try:
            async with asyncio.timeout(LIMIT):
                delay = await self._reconcile(memory)
            result = "done"
        except UnreachableError as error:
            result = "unreachable"
            log.warning("A pass is put off.", detail=memory.hide(str(error)), **place)
        except OperatorError as error:
            result = "refused"
            log.warning("A pass was refused.", detail=memory.hide(str(error)), **place)
        except Exception:
            # One platform's fault must not end the others' passes.
            log.exception("A pass failed.", **place)
        log.debug("A pass is over.", result=result, seconds=round(self._clock() - begun, 3), next=delay, **place)
        RECONCILES.labels(result).inc()
        RECONCILE_SECONDS.observe(self._clock() - begun)
        return delay
