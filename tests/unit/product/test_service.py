"""The catalogue's verbs, on fakes."""

import asyncio

import pytest

from protos.gen.ecommerce.events import v1 as events_v1
from services.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from services.product.index import ALIAS
from services.product.service import Catalogue, Draft, Product
from tests.factories.product import administrator, announcer, customer, draft, product_id, product_ids, ticking
from tests.fakes.product import FakeProducts, FakeSearchIndex

NOBODYS_IDS = ["", "x", "\x00", "a" * 100_000, product_id(99), product_id(1).upper(), "\ud800", "' OR 1=1 --"]


class Shop:
    """A catalogue on fakes, with nothing in it."""

    def __init__(self) -> None:
        self.products = FakeProducts(announcer())
        self.index = FakeSearchIndex()
        self.catalogue = Catalogue(self.products, self.index, currency="USD", clock=ticking(), ids=product_ids())

    async def open(self) -> None:
        index = await self.index.create()
        await self.index.promote(index)

    async def create(self, count: int = 1) -> list[Product]:
        return [await self.catalogue.create(customer(), draft(f"Kettle {number}")) for number in range(count)]

    async def write_index(self) -> None:
        await self.index.write(ALIAS, list(self.products.rows.values()), {})


@pytest.fixture
async def shop() -> Shop:
    shop = Shop()
    await shop.open()
    return shop


async def test_create(shop: Shop) -> None:
    """The caller owns what the caller puts up; it is there at once, at version 1, and told of."""
    made = await shop.catalogue.create(customer(7), draft(" Copper kettle ", "Boils.", 1999))
    assert (made.name, made.description, made.price_minor, made.currency) == ("Copper kettle", "Boils.", 1999, "USD")
    assert (made.account_id, made.version, made.created_at) == (7, 1, made.updated_at)
    assert await shop.catalogue.get(made.id) == made
    (event,) = shop.products.staged
    assert (event.topic, event.key, event.source) == ("product_events", made.id, "/product")
    assert isinstance(event.message, events_v1.ProductCreated)


@pytest.mark.parametrize(
    "wrong",
    [draft(name=""), draft(name="a\x00"), draft(description="\x00"), draft(price_minor=-1), draft(currency="EUR")],
)
async def test_bad_products(shop: Shop, wrong: Draft) -> None:
    """A product that is not valid is refused, new or changed, and nothing is written."""
    (made,) = await shop.create()
    for attempt in (
        shop.catalogue.create(customer(), wrong),
        shop.catalogue.update(customer(), made.id, wrong),
    ):
        with pytest.raises(InvalidError):
            await attempt
    assert list(shop.products.rows.values()) == [made]
    assert len(shop.products.staged) == 1


async def test_signed_in(shop: Shop) -> None:
    """Who is not signed in changes nothing."""
    (made,) = await shop.create()
    for attempt in (
        shop.catalogue.create(None, draft()),
        shop.catalogue.update(None, made.id, draft()),
        shop.catalogue.delete(None, made.id),
    ):
        with pytest.raises(UnauthenticatedError):
            await attempt


async def test_owner_only(shop: Shop) -> None:
    """Nobody but its owner changes a product, not even an administrator."""
    (made,) = await shop.create()
    for stranger in (customer(8), administrator()):
        with pytest.raises(ForbiddenError):
            await shop.catalogue.update(stranger, made.id, draft("Mine now"))
        with pytest.raises(ForbiddenError):
            await shop.catalogue.delete(stranger, made.id)
    assert await shop.catalogue.get(made.id) == made
    assert len(shop.products.staged) == 1


async def test_update(shop: Shop) -> None:
    """An update replaces what the product says and keeps what it is."""
    (made,) = await shop.create()
    changed = await shop.catalogue.update(customer(), made.id, draft("Steel kettle", "", 1))
    assert (changed.name, changed.description, changed.price_minor) == ("Steel kettle", "", 1)
    assert (changed.id, changed.account_id, changed.created_at) == (made.id, made.account_id, made.created_at)
    assert changed.version == 2
    assert changed.updated_at > made.updated_at
    assert await shop.catalogue.get(made.id) == changed
    message = shop.products.staged[-1].message
    assert isinstance(message, events_v1.ProductUpdated)
    assert message.product is not None
    assert message.product.version == 2


async def test_expected_version(shop: Shop) -> None:
    """An update that expects another version changes nothing and tells the current one; the right one passes."""
    (made,) = await shop.create()
    for expected in (0, 2, -1):
        with pytest.raises(ConflictError, match="version 1"):
            await shop.catalogue.update(customer(), made.id, draft("x"), expected_version=expected)
    assert (await shop.catalogue.update(customer(), made.id, draft("x"), expected_version=1)).version == 2


async def test_update_to_the_same(shop: Shop) -> None:
    """An update that changes nothing makes no version and no event, but still minds whose product it is."""
    (made,) = await shop.create()
    assert await shop.catalogue.update(customer(), made.id, draft("Kettle 0"), expected_version=1) == made
    assert len(shop.products.staged) == 1
    with pytest.raises(ForbiddenError):
        await shop.catalogue.update(customer(8), made.id, draft("Kettle 0"))


async def test_delete(shop: Shop) -> None:
    """A deleted product is gone, and its last event counts as one more version."""
    (made,) = await shop.create()
    await shop.catalogue.delete(customer(), made.id)
    with pytest.raises(NotFoundError):
        await shop.catalogue.get(made.id)
    assert shop.products.staged[-1].message == events_v1.ProductDeleted(id=made.id, account_id=7, version=2)
    with pytest.raises(NotFoundError):
        await shop.catalogue.delete(customer(), made.id)


@pytest.mark.parametrize("nobodys", NOBODYS_IDS)
async def test_unknown_ids(shop: Shop, nobodys: str) -> None:
    """Whatever is no product's id is answered by one and the same error, and left out of batches."""
    (made,) = await shop.create()
    for attempt in (
        shop.catalogue.get(nobodys),
        shop.catalogue.update(customer(), nobodys, draft()),
        shop.catalogue.delete(customer(), nobodys),
    ):
        with pytest.raises(NotFoundError, match=r"^There is no such product\.$"):
            await attempt
    assert await shop.catalogue.get_many([nobodys, made.id]) == [made]


async def test_batches(shop: Shop) -> None:
    """A batch comes in the order that was asked for, each product once."""
    one, two, three = await shop.create(3)
    assert await shop.catalogue.get_many([three.id, one.id, three.id, two.id]) == [three, one, two]
    assert await shop.catalogue.get_many([]) == []
    with pytest.raises(InvalidError):
        await shop.catalogue.get_many([one.id] * 1001)


async def test_pages(shop: Shop) -> None:
    """Pages go through the catalogue from the oldest product to the newest, and end."""
    made = await shop.create(5)
    assert await shop.catalogue.page(0, 2) == made[:2]
    assert await shop.catalogue.page(2, 100) == made[2:]
    assert await shop.catalogue.page(5, 2) == []
    assert await shop.catalogue.page(0, 0) == []
    with pytest.raises(InvalidError):
        await shop.catalogue.page(-1, 2)


async def test_search(shop: Shop) -> None:
    """Words are searched for; no words are a look at the catalogue."""
    made = await shop.create(3)
    await shop.write_index()
    assert await shop.catalogue.search("KETTLE", 0, 10) == made
    assert await shop.catalogue.search("kettle", 1, 1) == made[1:2]
    assert await shop.catalogue.search("", 0, 10) == made
    assert await shop.catalogue.search(" \t\n", 1, 1) == made[1:2]
    assert await shop.catalogue.search("\x00", 0, 10) == []
    assert await shop.catalogue.search("kettle", 0, 0) == []


async def test_search_bounds(shop: Shop) -> None:
    """Too long queries, too deep pages and negative ones are refused."""
    for query, skip, take in (("x" * 257, 0, 1), ("x", 10_000, 1), ("x", -1, 1), ("x", 0, -1), ("", -1, 1)):
        with pytest.raises(InvalidError):
            await shop.catalogue.search(query, skip, take)


async def test_search_is_down(shop: Shop) -> None:
    """Without the search side text search is unavailable, and everything else goes on."""
    shop.index.available = False
    (made,) = await shop.create()
    with pytest.raises(UnavailableError):
        await shop.catalogue.search("kettle", 0, 10)
    assert await shop.catalogue.search("", 0, 10) == [made]
    assert await shop.catalogue.get(made.id) == made


async def test_concurrent_updates(shop: Shop) -> None:
    """Of updates that expect the same version one passes."""
    (made,) = await shop.create()
    outcomes = await asyncio.gather(
        *(shop.catalogue.update(customer(), made.id, draft(f"n{n}"), expected_version=1) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Product) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 4
