"""What events of other services come to here; both handlers are safe to repeat, in any order.

A product that was put up, changed or taken down becomes what the provider's list should have; only newer versions win.
An order that was cancelled takes no payment any more, and what was paid for it is given back.
"""

from collections.abc import Sequence
from typing import Protocol

from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.order import v1 as order_v1
from services.events import Event
from services.payment.domain import Listing


class MeaninglessEventError(Exception):
    """The event is not whole; the message says what is missing. It will never mean more."""


class Listings(Protocol):
    """What the provider's list should have."""

    async def put_listing(self, listing: Listing) -> None:
        """Takes a product, unless a newer version of it is known."""

    async def drop_listing(self, product_id: str, version: int) -> None:
        """Drops a product, unless a newer version of it is known."""


class Cancellations(Protocol):
    """The orders that are being paid."""

    async def order_cancelled(self, order_id: int) -> None:
        """Has what was paid for an order given back; nothing happens where nobody began to pay."""


class ProductReactions:
    """The handler of product_events."""

    def __init__(self, listings: Listings) -> None:
        self._listings = listings

    async def __call__(self, batch: Sequence[Event]) -> None:
        """Keeps the newest version of every product told of; MeaninglessEventError if an event tells of none."""
        newest: dict[str, Listing | events_v1.ProductDeleted] = {}
        for event in batch:
            product_id, told = _told(event)
            if product_id not in newest or told.version > newest[product_id].version:
                newest[product_id] = told
        for product_id, told in newest.items():
            if isinstance(told, Listing):
                await self._listings.put_listing(told)
            else:
                await self._listings.drop_listing(product_id, told.version)


class OrderReactions:
    """The handler of order_events."""

    def __init__(self, orders: Cancellations) -> None:
        self._orders = orders

    async def __call__(self, batch: Sequence[Event]) -> None:
        """Cancels the payments of every order that the events say is cancelled; other events tell nothing new."""
        for event in batch:
            match event.message:
                case events_v1.OrderStatusChanged(order_id=order_id, current=order_v1.OrderStatus.CANCELLED):
                    await self._orders.order_cancelled(order_id)
                case _:
                    pass


def _told(event: Event) -> tuple[str, Listing | events_v1.ProductDeleted]:
    match event.message:
        case events_v1.ProductCreated(product=product) | events_v1.ProductUpdated(product=product):
            listing = _listing(product)
            return listing.product_id, listing
        case events_v1.ProductDeleted() as gone:
            _require(gone.id, gone.version)
            return gone.id, gone
        case other:
            raise MeaninglessEventError(f"{type(other).__name__} tells of no product.")


def _listing(product: events_v1.ProductSnapshot | None) -> Listing:
    if product is None or product.price is None or not product.price.currency or product.price.minor_units < 0:
        raise MeaninglessEventError("The event's product has no price.")
    _require(product.id, product.version)
    price = product.price
    return Listing(product.id, product.name, product.description, price.minor_units, price.currency, product.version)


def _require(product_id: str, version: int) -> None:
    if not product_id or version < 1:
        raise MeaninglessEventError("The event's product has no valid id and version.")
