"""The order service's ports in memory; tests/contract/order holds each of them against the real thing."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.errors import NotFoundError, UnavailableError
from services.events import Event
from services.order.domain import Draft, IdempotencyKey, KeyedOrder, Order, Product
from services.order.events import Announcer
from services.order.paging import check_size
from services.order.status import INITIAL, OrderStatus, changes


@dataclass
class FakeCatalogue:
    """Knows the products that it is given, and which ids it was asked for."""

    known: dict[str, Product] = field(default_factory=dict)
    available: bool = True
    asked: list[list[str]] = field(default_factory=list)

    async def products(self, ids: Sequence[str]) -> Mapping[str, Product]:
        self.asked.append(list(ids))
        # A real call lets others run in between, which is what makes two requests with one key meet.
        await asyncio.sleep(0)
        if not self.available:
            raise UnavailableError("The product service does not answer.")
        return {product_id: self.known[product_id] for product_id in ids if product_id in self.known}


class FakeStore:
    """Keeps orders in a dictionary, and the events that would be in the outbox in a list."""

    def __init__(
        self,
        announcer: Announcer,
        clock: Callable[[], datetime],
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._announcer = announcer
        self._clock = clock
        self._committed = committed
        self._orders: dict[int, Order] = {}
        self._sizes: dict[int, int] = {}
        self._keys: dict[tuple[int, str], tuple[int, str]] = {}
        self.staged: list[Event] = []

    async def find(self, account_id: int, key: str) -> KeyedOrder | None:
        if (account_id, key) not in self._keys:
            return None
        order_id, fingerprint = self._keys[account_id, key]
        return KeyedOrder(self._orders[order_id], fingerprint)

    async def add(self, draft: Draft, key: IdempotencyKey | None) -> KeyedOrder:
        first = await self.find(draft.account_id, key.value) if key else None
        if first is not None:
            return first
        now = self._clock()
        order = Order(
            len(self._orders) + 1,
            draft.account_id,
            draft.currency,
            draft.total_minor,
            draft.lines,
            INITIAL,
            now,
            now,
        )
        self._orders[order.id] = order
        self._sizes[order.id] = draft.size
        if key:
            self._keys[draft.account_id, key.value] = (order.id, key.fingerprint)
        self.staged += self._announcer.placed(order)
        self._committed()
        return KeyedOrder(order, key.fingerprint if key else None)

    async def get(self, order_id: int) -> Order | None:
        return self._orders.get(order_id)

    async def page(self, account_ids: Sequence[int], skip: int, take: int) -> Mapping[int, Sequence[Order]]:
        newest = sorted(self._orders.values(), key=lambda order: order.id, reverse=True)
        pages = {
            account_id: [order for order in newest if order.account_id == account_id][skip : skip + take]
            for account_id in account_ids
        }
        check_size(self._sizes[order.id] for orders in pages.values() for order in orders)
        return pages

    async def change_status(self, order_id: int, wanted: OrderStatus) -> Order:
        order = self._orders.get(order_id)
        if order is None:
            raise NotFoundError(f"There is no order {order_id}.")
        if not changes(order.status, wanted):
            return order
        moved = replace(order, status=wanted, updated_at=self._clock())
        self._orders[order_id] = moved
        self.staged.append(self._announcer.status_changed(moved, previous=order.status))
        self._committed()
        return moved

    @property
    def orders(self) -> list[Order]:
        """Every order, oldest first."""
        return list(self._orders.values())
