"""What events come to: the catalogue and what was done with it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from betterproto2 import Message

from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.money.v1 import Money
from services.events import Event
from services.recommender.domain import Gone, Interaction, Kind, Product
from services.recommender.reactions import InteractionReactions, MeaninglessEventError, ProductReactions

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Kept:
    """Notes what is to be kept."""

    def __init__(self) -> None:
        self.products: list[Product | Gone] = []
        self.interactions: list[Interaction] = []

    async def put_products(self, items: Sequence[Product | Gone]) -> None:
        self.products += items

    async def add_interactions(self, items: Sequence[Interaction]) -> None:
        self.interactions += items


def event(message: Message, at: datetime = NOW, event_id: str = "e1") -> Event:
    return Event(event_id, at, "/test", "topic", "key", message)


def snapshot(product_id: str = "lamp", name: str = "A lamp", price: int = 1999) -> events_v1.ProductSnapshot:
    money = Money(minor_units=price, currency="USD")
    return events_v1.ProductSnapshot(id=product_id, name=name, description="Shines", price=money, version=3)


async def handled(*batch: Event) -> list[Interaction]:
    kept = Kept()
    await InteractionReactions(kept, lambda: NOW, timedelta(days=365))(batch)
    return kept.interactions


async def test_products() -> None:
    """With their text, price, version and time, or that they are gone."""
    kept = Kept()
    await ProductReactions(kept)(
        [
            event(events_v1.ProductCreated(product=snapshot())),
            event(events_v1.ProductUpdated(product=snapshot("mug", "A\0mug"))),
            event(events_v1.ProductDeleted(id="cup", version=4)),
        ]
    )
    assert kept.products == [
        Product("lamp", "A lamp", "Shines", 1999, "USD", 3, NOW),
        Product("mug", "Amug", "Shines", 1999, "USD", 3, NOW),
        Gone("cup", 4, NOW),
    ]


async def test_interactions() -> None:
    """Views of accounts and of unknown visitors, and purchases with their number, by their event's id."""
    assert await handled(
        event(events_v1.ProductRetrieved(product_id="lamp", account_id=7), event_id="e1"),
        event(events_v1.ProductRetrieved(product_id="lamp"), event_id="e2"),
        event(events_v1.ProductPurchased(product_id="lamp", account_id=7, quantity=3, order_id=1), event_id="e3"),
    ) == [
        Interaction("e1", Kind.VIEW, "lamp", 7, 1, NOW),
        Interaction("e2", Kind.VIEW, "lamp", None, 1, NOW),
        Interaction("e3", Kind.PURCHASE, "lamp", 7, 3, NOW),
    ]


async def test_what_visitors_viewed_together() -> None:
    """One event tells of several products: each is an interaction of its own, the same ones whenever it is told."""
    views = [events_v1.Retrievals(product_id="lamp", quantity=3), events_v1.Retrievals(product_id="cup", quantity=1)]
    told = event(events_v1.ProductsRetrieved(retrievals=views), event_id="e1")
    assert await handled(told) == [
        Interaction("e1", Kind.VIEW, "lamp", None, 3, NOW),
        Interaction("e1/1", Kind.VIEW, "cup", None, 1, NOW),
    ]
    assert await handled(told) == await handled(told)


async def test_what_is_too_old() -> None:
    """It is left out, so that a replay does not bring back what was forgotten."""
    view = events_v1.ProductRetrieved(product_id="lamp", account_id=7)
    found = await handled(event(view, NOW - timedelta(days=366)), event(view, NOW - timedelta(days=364)))
    assert [one.at for one in found] == [NOW - timedelta(days=364)]


@pytest.mark.parametrize(
    "message",
    [
        events_v1.ProductCreated(),
        events_v1.ProductCreated(product=events_v1.ProductSnapshot(id="lamp", version=1)),
        events_v1.ProductUpdated(product=snapshot(price=-1)),
        events_v1.ProductUpdated(product=snapshot("")),
        events_v1.ProductUpdated(product=snapshot("x" * 201)),
        events_v1.ProductUpdated(product=snapshot("la\0mp")),
        events_v1.ProductUpdated(product=snapshot("la\nmp")),
        events_v1.ProductDeleted(id="lamp"),
        events_v1.ProductDeleted(version=1),
        events_v1.ProductRetrieved(product_id="lamp"),
    ],
)
async def test_no_product_is_told_of(message: Message) -> None:
    """It never will be: the event is for the dead letters, and nothing of its batch is written."""
    kept = Kept()
    with pytest.raises(MeaninglessEventError):
        await ProductReactions(kept)([event(events_v1.ProductCreated(product=snapshot())), event(message)])
    assert kept.products == []


@pytest.mark.parametrize(
    ("message", "at"),
    [
        (events_v1.ProductRetrieved(), NOW),
        (events_v1.ProductRetrieved(product_id="la\0mp"), NOW),
        (events_v1.ProductRetrieved(product_id="la\nmp"), NOW),
        (events_v1.ProductRetrieved(product_id="lamp", account_id=0), NOW),
        (events_v1.ProductRetrieved(product_id="lamp", account_id=-7), NOW),
        (events_v1.ProductsRetrieved(), NOW),
        (events_v1.ProductsRetrieved(retrievals=[events_v1.Retrievals(product_id="lamp")]), NOW),
        (events_v1.ProductsRetrieved(retrievals=[events_v1.Retrievals(quantity=1)]), NOW),
        (events_v1.ProductPurchased(product_id="lamp", account_id=7), NOW),
        (events_v1.ProductPurchased(product_id="lamp", quantity=1), NOW),
        (events_v1.ProductPurchased(product_id="lamp", account_id=7, quantity=-1), NOW),
        (events_v1.ProductRetrieved(product_id="lamp"), NOW + timedelta(hours=2)),
        (events_v1.ProductRetrieved(product_id="lamp"), datetime(1999, 1, 1, tzinfo=UTC)),
        (events_v1.ProductDeleted(id="lamp", version=1), NOW),
    ],
)
async def test_nothing_was_done(message: Message, at: datetime) -> None:
    """Without a product, by nobody, none of it, or at a time that cannot be: it counts for nothing."""
    with pytest.raises(MeaninglessEventError):
        await handled(event(message, at))


@pytest.mark.parametrize("event_id", ["x" * 201, "e\0"])
async def test_ids_that_cannot_be_kept(event_id: str) -> None:
    """An event whose own id the database could not hold as a key is for the dead letters; 200 characters are kept."""
    view = events_v1.ProductRetrieved(product_id="lamp", account_id=7)
    with pytest.raises(MeaninglessEventError):
        await handled(event(view, event_id=event_id))
    assert len(await handled(event(view, event_id="x" * 200))) == 1
