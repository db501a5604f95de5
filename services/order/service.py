"""The verbs of the order service.

Placing an order: the basket is merged and checked, an idempotency key that was used before is answered from the store
without asking anyone, the catalogue is asked once for all products, and the store writes the order, its lines and its
events in one transaction. Two requests with one key may both get as far as the store: it keeps the first, and both are
answered from what it kept.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from services.errors import ConflictError, NotFoundError
from services.order import basket
from services.order.domain import Draft, IdempotencyKey, Item, KeyedOrder, Order, Product
from services.order.paging import check_accounts, check_page
from services.order.status import OrderStatus
from services.tokens import (
    Identity,
    require_identity,
    require_self_or_administrator,
    require_service_or_administrator,
)

# Whoever takes the money says how an order stands.
_PAYMENT: Final = "payment"


class Catalogue(Protocol):
    """Where products and their prices come from."""

    async def products(self, ids: Sequence[str]) -> Mapping[str, Product]:
        """Answers those that exist, by id, in one call; raises UnavailableError when it cannot know."""


class Store(Protocol):
    """Where orders are kept; raises UnavailableError when it does not answer."""

    async def find(self, account_id: int, key: str) -> KeyedOrder | None:
        """Answers the order that this account placed under this idempotency key."""

    async def add(self, draft: Draft, key: IdempotencyKey | None) -> KeyedOrder:
        """Writes the order, its lines and its events at once, or nothing.

        Where the account has used the key before, nothing is written and the order of that time is answered.
        """

    async def get(self, order_id: int) -> Order | None:
        """Answers the order as it is now, or None when there is none."""

    async def page(self, account_ids: Sequence[int], skip: int, take: int) -> Mapping[int, Sequence[Order]]:
        """Answers for each account its orders, newest first, without the first `skip`, at most `take` of them.

        Raises InvalidError when they are too large for one answer.
        """

    async def change_status(self, order_id: int, wanted: OrderStatus) -> Order:
        """Moves an order and writes the event of it at once; changes of one order happen one after another.

        Raises NotFoundError when there is no such order and ConflictError when there is no such move.
        """


class OrderService:
    """What anyone can ask of orders; each verb says who may."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    async def place(self, caller: Identity | None, items: Sequence[Item], idempotency_key: str = "") -> Order:
        """Places an order for the caller, or answers the one that the same request placed before.

        Raises UnauthenticatedError, InvalidError, NotFoundError for an unknown product, ConflictError when the key was
        used for something else, UnavailableError.
        """
        account_id = require_identity(caller).account_id
        merged = basket.merge(items)
        key = basket.identify(idempotency_key, merged)
        kept = await self._store.find(account_id, key.value) if key else None
        if kept is None:
            products = await self._catalogue.products([item.product_id for item in merged])
            kept = await self._store.add(basket.price(account_id, merged, products), key)
        return _require_same_request(kept, key)

    async def order(self, caller: Identity | None, order_id: int) -> Order:
        """Answers one order: the caller's own, or any for an administrator and for the payment service.

        Raises NotFoundError also for an order of someone else: ids are counted, and who asks is not told which exist.
        """
        sees_all = caller is not None and (caller.is_administrator or caller.service == _PAYMENT)
        account_id = None if sees_all else require_identity(caller).account_id
        order = await self._store.get(order_id)
        if order is None or account_id not in (None, order.account_id):
            raise NotFoundError(f"There is no order {order_id}.")
        return order

    async def orders_for_account(self, caller: Identity | None, account_id: int, skip: int, take: int) -> list[Order]:
        """Answers a page of one account's orders, newest first: the caller's own, or any for an administrator."""
        pages = await self.orders_for_accounts(caller, [account_id], skip, take)
        return list(pages[account_id])

    async def orders_for_accounts(
        self, caller: Identity | None, account_ids: Sequence[int], skip: int, take: int
    ) -> Mapping[int, Sequence[Order]]:
        """Answers the same page for each account asked for, also for those that have no orders.

        Raises ForbiddenError when one of them is not the caller's own, InvalidError for a page that cannot be or is
        too large for one answer.
        """
        require_identity(caller)
        distinct = check_accounts(account_ids)
        for account_id in distinct:
            require_self_or_administrator(caller, account_id)
        skip, take = check_page(skip, take)
        return await self._store.page(distinct, skip, take)

    async def change_status(self, caller: Identity | None, order_id: int, wanted: OrderStatus) -> Order:
        """Moves an order to another status; the status it has already is answered without an event.

        Raises ForbiddenError unless the caller is an administrator or the payment service, NotFoundError, and
        ConflictError when the state machine has no such move.
        """
        require_service_or_administrator(caller, _PAYMENT)
        return await self._store.change_status(order_id, wanted)


def _require_same_request(kept: KeyedOrder, key: IdempotencyKey | None) -> Order:
    if key is not None and kept.fingerprint != key.fingerprint:
        raise ConflictError("This idempotency key was used for a different order.")
    return kept.order
