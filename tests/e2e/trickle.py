"""Steady requests through the ingress, at a pace that does not wait for answers, and a record of each one's fate.

A user's client would do the same: it signs in once, then creates, reads and orders. What was acknowledged is kept, so
that a test can ask for it afterwards; what failed is kept with its times, so that a test can say which failures a fault
explains: those of requests that were under way when it happened.
"""

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self

import httpx

from tests.client import CREATE_ORDER, CREATE_PRODUCT, PRODUCT_BY_ID, all_orders
from tests.e2e.platforms import Entrance, Platform, a_name

PACE = 0.1  # seconds between two rounds; each is a read, an order, and now and then a new product
PATIENCE = 20.0  # seconds that a client waits for one answer: longer than any deadline inside
_WAITING_LIMIT = 200  # requests at once; more would say that nothing is answered any more


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered as it should; times are seconds on the monotonic clock."""

    operation: str
    began: float
    ended: float
    what: str


@dataclass
class Trickle:
    """Runs until it is left; use it with `async with`."""

    platform: Platform
    orders: list[int] = field(default_factory=list)
    products: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    answered: int = 0
    _ask: Entrance | None = None
    _token: str = ""
    _task: asyncio.Task[None] | None = None
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._ask = self.platform.gateway()
        self._token = await self._ask.register(a_name())
        data = await self._ask(CREATE_PRODUCT, {"p": _product(0)}, self._token)
        self.products.append(data["createProduct"]["id"])
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def flows(self, requests: int = 60, within: float = 120) -> None:
        """Waits until that many requests in a row have been answered."""
        async with asyncio.timeout(within):
            failed, answered = len(self.failures), self.answered
            while self.answered < answered + requests:
                await asyncio.sleep(PACE / 2)
                if len(self.failures) > failed:
                    failed, answered = len(self.failures), self.answered

    async def lost(self) -> str:
        """Answers which acknowledged writes are not there; empty where all are."""
        ask = self.platform.gateway()
        there = await all_orders(ask, self._token)
        lost = [f"order {number}" for number in self.orders if number not in there]
        absent = [each for each in self.products if not (await ask(PRODUCT_BY_ID, {"id": each}))["product"]]
        lost += [f"product {each}" for each in absent]
        return ", ".join(lost)

    def unexplained(self, faults: Iterable[float], within: float) -> list[Failure]:
        """Answers the failures of requests that began over `within` seconds after, or ended before, every fault."""
        moments = list(faults)
        return [each for each in self.failures if not any(_explains(moment, each, within) for moment in moments)]

    def summary(self) -> str:
        """Answers what happened, in a line."""
        kinds = sorted({f"{each.operation}: {each.what}" for each in self.failures})
        return f"{self.answered} answered, {len(self.failures)} failed {kinds[:5]}, {len(self.orders)} orders"

    async def _run(self) -> None:
        for number in itertools.count():
            if len(self._under_way) < _WAITING_LIMIT:
                self._start(self._read())
                self._start(self._order(number))
                if number % 20 == 0:
                    self._start(self._create(number))
            await asyncio.sleep(PACE)

    def _start(self, request: Any) -> None:
        task = asyncio.create_task(request)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _create(self, number: int) -> None:
        data = await self._try("createProduct", CREATE_PRODUCT, {"p": _product(number)})
        if data:
            self.products.append(data["createProduct"]["id"])

    async def _read(self) -> None:
        await self._try("product", PRODUCT_BY_ID, {"id": self.products[-1]})

    async def _order(self, number: int) -> None:
        order = {"products": [{"id": self.products[0], "quantity": 1 + number % 3}]}
        data = await self._try("createOrder", CREATE_ORDER, {"o": order})
        if data:
            self.orders.append(data["createOrder"]["id"])

    async def _try(self, operation: str, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        assert self._ask is not None
        began = monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._ask.ask(query, variables, self._token)
        except (TimeoutError, httpx.HTTPError, ValueError) as error:
            self.failures.append(Failure(operation, began, monotonic(), repr(error)))
            return None
        if answer.errors or answer.status != httpx.codes.OK:
            what = f"HTTP {answer.status} {answer.codes} {[each.get('message') for each in answer.errors]}"
            self.failures.append(Failure(operation, began, monotonic(), what))
            return None
        self.answered += 1
        return answer.data


def _product(number: int) -> dict[str, Any]:
    return {"name": f"trickle {number}", "description": "drop", "price": 19.99}


def _explains(fault: float, failure: Failure, within: float) -> bool:
    return failure.began <= fault + within and failure.ended >= fault
