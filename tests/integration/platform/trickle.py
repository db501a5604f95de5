"""A steady trickle of requests that remembers what was acknowledged, for tests that break things meanwhile."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from tests.client import (
    CREATE_ORDER,
    CREATE_PRODUCT,
    PRODUCT_BY_ID,
    SEARCH,
    GraphQL,
)

# Seconds between the starts of two rounds, and the longest that a client waits for one answer.
PAUSE = 0.2
PATIENCE = 15.0


@dataclass
class Trickle:
    """Creates, reads, searches and orders, over and over, until it is left; use it with `async with`.

    `products` and `orders` hold what the platform acknowledged; `codes` every error code of each operation, in order;
    `faults` what no client should ever see: statuses other than 200, errors without a code, broken connections.
    """

    ask: GraphQL
    token: str
    products: list[str] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    codes: dict[str, list[str]] = field(default_factory=dict)
    successes: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _progress: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def all_work(self, within: float) -> None:
        """Waits until every operation has worked again; raises TimeoutError with the laggards otherwise."""
        before = dict(self.successes)

        def laggards() -> list[str]:
            return [name for name in ("create", "read", "search", "order") if self._count(name) <= before.get(name, 0)]

        try:
            async with asyncio.timeout(within):
                while laggards():
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            raise TimeoutError(f"still failing: {laggards()}; the last codes: {self._last_codes()}") from None

    def _count(self, name: str) -> int:
        return self.successes.get(name, 0)

    def _last_codes(self) -> dict[str, list[str]]:
        return {name: codes[-3:] for name, codes in self.codes.items()}

    async def _run(self) -> None:
        for number in itertools.count():
            await asyncio.gather(self._create(number), self._read(), self._search(number), self._order())
            await asyncio.sleep(PAUSE)

    async def _create(self, number: int) -> None:
        product = {"name": f"trickle {number}", "description": "drop", "price": 19.99}
        data = await self._try("create", CREATE_PRODUCT, {"p": product})
        if data:
            self.products.append(data["createProduct"]["id"])

    async def _read(self) -> None:
        if self.products:
            await self._try("read", PRODUCT_BY_ID, {"id": self.products[-1]})

    async def _search(self, number: int) -> None:
        await self._try("search", SEARCH, {"q": f"trickle {max(0, number - 10)}"})

    async def _order(self) -> None:
        if self.products:
            order = {"products": [{"id": self.products[-1], "quantity": 2}]}
            data = await self._try("order", CREATE_ORDER, {"o": order})
            if data:
                self.orders.append(data["createOrder"]["id"])

    async def _try(self, name: str, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self.ask.ask(query, variables, self.token)
        except (TimeoutError, httpx.HTTPError, ValueError) as error:
            self.faults.append(f"{name}: {error!r}")
            return None
        if answer.status != httpx.codes.OK:
            self.faults.append(f"{name}: HTTP {answer.status}")
        if answer.errors:
            self.codes.setdefault(name, []).extend(answer.codes)
            return None
        self.successes[name] = self._count(name) + 1
        self._progress.set()
        return answer.data
