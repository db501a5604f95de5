"""What events come to: the provider's list, and orders that are cancelled."""

from datetime import UTC, datetime

import pytest
from betterproto2 import Message

from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.order import v1 as order_v1
from services.events import Event
from services.payment.domain import Listing
from services.payment.reactions import MeaninglessEventError, OrderReactions, ProductReactions


class Listings:
    """Notes what is put up and dropped."""

    def __init__(self) -> None:
        self.put: list[Listing] = []
        self.dropped: list[tuple[str, int]] = []

    async def put_listing(self, listing: Listing) -> None:
        self.put.append(listing)

    async def drop_listing(self, product_id: str, version: int) -> None:
        self.dropped.append((product_id, version))


class Orders:
    """Notes what is cancelled."""

    def __init__(self) -> None:
        self.cancelled: list[int] = []

    async def order_cancelled(self, order_id: int) -> None:
        self.cancelled.append(order_id)


def event(message: Message) -> Event:
    return Event("e1", datetime(2026, 1, 2, tzinfo=UTC), "/test", "topic", "key", message)


def snapshot(version: int, price_minor: int = 1999, product_id: str = "lamp") -> events_v1.ProductSnapshot:
    return events_v1.ProductSnapshot(
        id=product_id,
        name="A lamp",
        description="Shines",
        price=Money(minor_units=price_minor, currency="USD"),
        account_id=1,
        version=version,
    )


def listing(version: int, price_minor: int = 1999) -> Listing:
    return Listing("lamp", "A lamp", "Shines", price_minor, "USD", version)


async def test_products_are_put_up_and_dropped() -> None:
    """Each with its version, which decides in the store."""
    listings = Listings()
    react = ProductReactions(listings)
    await react([event(events_v1.ProductCreated(product=snapshot(1)))])
    await react([event(events_v1.ProductUpdated(product=snapshot(2, 99)))])
    await react([event(events_v1.ProductDeleted(id="lamp", account_id=1, version=3))])
    assert listings.put == [listing(1), listing(2, 99)]
    assert listings.dropped == [("lamp", 3)]


async def test_of_a_batch_only_the_newest_version_counts() -> None:
    """In whatever order the events come."""
    listings = Listings()
    newest = event(events_v1.ProductDeleted(id="lamp", account_id=1, version=3))
    older = event(events_v1.ProductUpdated(product=snapshot(2)))
    await ProductReactions(listings)([newest, older, newest])
    assert (listings.put, listings.dropped) == ([], [("lamp", 3)])


@pytest.mark.parametrize(
    "message",
    [
        events_v1.ProductCreated(),
        events_v1.ProductCreated(product=events_v1.ProductSnapshot(id="lamp", version=1)),
        events_v1.ProductUpdated(product=snapshot(0)),
        events_v1.ProductUpdated(product=snapshot(1, product_id="")),
        events_v1.ProductUpdated(product=snapshot(1, price_minor=-1)),
        events_v1.ProductDeleted(id="", version=1),
        events_v1.ProductDeleted(id="lamp", version=0),
        events_v1.OrderPlaced(),
    ],
)
async def test_an_event_that_is_not_whole_is_refused(message: Message) -> None:
    """Nothing of its batch is written, so that the consumer finds out which one it was."""
    listings = Listings()
    whole = event(events_v1.ProductCreated(product=snapshot(1)))
    with pytest.raises(MeaninglessEventError):
        await ProductReactions(listings)([whole, event(message)])
    assert listings.put == []


async def test_only_a_cancelled_order_concerns_payments() -> None:
    """All other statuses are ones that payments themselves lead to."""
    orders = Orders()
    changes = [events_v1.OrderStatusChanged(order_id=int(status), current=status) for status in order_v1.OrderStatus]
    await OrderReactions(orders)([event(events_v1.OrderPlaced()), *map(event, changes)])
    assert orders.cancelled == [int(order_v1.OrderStatus.CANCELLED)]
