"""A second, smaller watch on the platforms, which proves that kopf's still delivers.

It sees only their metadata. A version of a platform that kopf has not handed over within some seconds is fetched and
handed over from here, so that a watch which is dead although its connection looks alive delays nothing for long. When
kopf stays behind, the liveness probe says so, and a restart makes everything anew.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from ecommerce_operator.api import Api
from ecommerce_operator.controller import Controller
from ecommerce_operator.errors import OperatorError
from ecommerce_operator.kinds import PLATFORM, Key
from ecommerce_operator.store import Seen, Store
from ecommerce_operator.watches import Watches

PERIOD: Final = 2.0  # seconds between comparisons
LAG: Final = 5.0  # seconds that a version may take from the one watch to the other before it is fetched
DEAD: Final = 600.0  # seconds of fetching what kopf should have handed over, until it is given up

log = structlog.get_logger(__name__)


class Canary:
    """Compares what it sees with what kopf has handed over to the controller."""

    def __init__(self, api: Api, namespaces: Iterable[str], controller: Controller, clock: Callable[[], float]) -> None:
        self._api = api
        self._store = Store(lambda *_: None)
        self._watches = Watches(api, self._store, (PLATFORM,), namespaces, clock, selector="")
        self._controller = controller
        self._clock = clock
        self._late: dict[Key, float] = {}
        self._first_helped: float | None = None

    async def run(self) -> None:
        """Watches and compares for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watches.run())
            group.create_task(self._compare())

    async def run_once(self) -> None:
        """Hands over what is late by now."""
        now, seen = self._clock(), self._store.everything()
        late = {one.key: self._late.get(one.key, now) for one in seen if self._is_behind(one)}
        self._late = late
        due = [key for key, since in late.items() if now - since > LAG]
        for key in due:
            await self._hand_over(key)
        if not late:
            self._first_helped = None
        elif due:
            self._first_helped = self._first_helped or now

    def late(self) -> list[str]:
        """Answers why kopf is to be given up; nothing while it delivers."""
        found = [f"the watch on {name} is silent" for name in self._watches.stalled()]
        if self._first_helped is not None and self._clock() - self._first_helped > DEAD:
            found.append("kopf does not deliver")
        return found

    def _is_behind(self, seen: Seen) -> bool:
        return self._controller.version_of(seen.key.namespace, seen.key.name) < seen.version

    async def _compare(self) -> None:
        while True:
            await self.run_once()
            await asyncio.sleep(PERIOD)

    async def _hand_over(self, key: Key) -> None:
        query = {"fieldSelector": f"metadata.name={key.name}"}
        try:
            found = await self._api.request("GET", key.kind.path(key.namespace), query)
        except OperatorError:
            return
        for body in found["items"]:
            log.warning("Kopf is behind; a platform is fetched.", namespace=key.namespace, platform=key.name)
            self._controller.observe({**body, "apiVersion": key.kind.api_version, "kind": key.kind.name})
