"""What the record of products promises, in memory and on PostgreSQL."""

import asyncio
from dataclasses import replace

import pytest

from protos.gen.ecommerce.events import v1 as events_v1
from services.errors import ConflictError, ForbiddenError, NotFoundError
from services.product.service import Product
from tests.contract.product.conftest import Kept
from tests.factories.product import NOW, product, product_id


async def test_add(kept: Kept) -> None:
    """What was added is there as it was, in every script, with its event, and the commit is announced once."""
    made = product(1, name="Čajník 茶壷 🫖", description="one\n\ttwo", price_minor=10**12)
    await kept.products.add(made)
    assert await kept.products.get(made.id) == made
    (event,) = await kept.staged()
    assert (event.topic, event.key, event.source) == ("product_events", made.id, "/product")
    message = event.message
    assert isinstance(message, events_v1.ProductCreated)
    snapshot = message.product
    assert snapshot is not None
    assert snapshot.price is not None
    assert (snapshot.id, snapshot.name, snapshot.description) == (made.id, made.name, made.description)
    assert (snapshot.price.minor_units, snapshot.price.currency) == (10**12, "USD")
    assert (snapshot.account_id, snapshot.version) == (7, 1)
    assert len(kept.commits) == 1


async def test_absent(kept: Kept) -> None:
    """What is not there is None, left out, or not found."""
    assert await kept.products.get(product_id(1)) is None
    assert await kept.products.get_many([product_id(1), product_id(2)]) == []
    with pytest.raises(NotFoundError, match=r"^There is no such product\.$"):
        await kept.products.change(product_id(1), lambda current: current)
    with pytest.raises(NotFoundError, match=r"^There is no such product\.$"):
        await kept.products.remove(product_id(1), lambda _: None)
    assert await kept.staged() == []
    assert kept.commits == []


async def test_get_many(kept: Kept) -> None:
    """A thousand ids are asked for at once; those that exist are answered."""
    for number in range(1, 6):
        await kept.products.add(product(number))
    found = await kept.products.get_many([product_id(number) for number in range(1000, 0, -1)])
    assert {each.id for each in found} == {product_id(number) for number in range(1, 6)}
    assert len(found) == 5


async def test_page(kept: Kept) -> None:
    """Pages are by creation, whatever the order of adding and changing."""
    for number in (3, 1, 2):
        await kept.products.add(product(number))
    await kept.products.change(product_id(1), lambda old: replace(old, name="Later", version=2))
    ids = [each.id for each in await kept.products.page(0, 10)]
    assert ids == [product_id(1), product_id(2), product_id(3)]
    assert [each.id for each in await kept.products.page(1, 1)] == [product_id(2)]
    assert await kept.products.page(3, 1) == []
    assert await kept.products.page(2**31 - 1, 100) == []


async def test_after(kept: Kept) -> None:
    """Batch by batch, from one id on to the next, everything is seen once."""
    for number in range(1, 8):
        await kept.products.add(product(number))
    seen: list[str] = []
    while batch := await kept.products.after(seen[-1] if seen else None, 3):
        assert len(batch) <= 3
        seen += [each.id for each in batch]
    assert seen == [product_id(number) for number in range(1, 8)]


async def test_change(kept: Kept) -> None:
    """A change replaces the product, with its event."""
    await kept.products.add(product(1))
    later = NOW.replace(year=2026)

    def decide(current: Product) -> Product:
        assert current == product(1)
        return replace(current, name="New", description="", price_minor=0, version=2, updated_at=later)

    changed = await kept.products.change(product_id(1), decide)
    assert changed == replace(product(1), name="New", description="", price_minor=0, version=2, updated_at=later)
    assert await kept.products.get(product_id(1)) == changed
    message = (await kept.staged())[-1].message
    assert isinstance(message, events_v1.ProductUpdated)
    assert message.product is not None
    assert (message.product.name, message.product.version) == ("New", 2)
    assert len(kept.commits) == 2


async def test_no_change(kept: Kept) -> None:
    """To answer the very product is to change nothing: no event, nothing to announce."""
    await kept.products.add(product(1))
    assert await kept.products.change(product_id(1), lambda current: current) == product(1)
    assert len(await kept.staged()) == 1
    assert len(kept.commits) == 1


async def test_refused(kept: Kept) -> None:
    """What the decision raises comes out, and nothing is written."""
    await kept.products.add(product(1))

    def refuse_change(_: Product) -> Product:
        raise ConflictError("It has changed.")

    def refuse_removal(_: Product) -> None:
        raise ForbiddenError("Not yours.")

    with pytest.raises(ConflictError):
        await kept.products.change(product_id(1), refuse_change)
    with pytest.raises(ForbiddenError):
        await kept.products.remove(product_id(1), refuse_removal)
    assert await kept.products.get(product_id(1)) == product(1)
    assert len(await kept.staged()) == 1
    assert len(kept.commits) == 1


async def test_remove(kept: Kept) -> None:
    """A removed product is gone; its event is one version above its last."""
    await kept.products.add(product(1))
    await kept.products.add(product(2))
    await kept.products.remove(product_id(1), lambda _: None)
    assert await kept.products.get(product_id(1)) is None
    assert await kept.products.page(0, 10) == [product(2)]
    events = await kept.staged()
    assert events[-1].message == events_v1.ProductDeleted(id=product_id(1), account_id=7, version=2)
    assert events[-1].key == product_id(1)
    assert len(kept.commits) == 3


async def test_concurrent_changes(kept: Kept) -> None:
    """Changes of one product happen one after the other: none is lost, and its events tell of them in that order."""
    await kept.products.add(product(1))

    def next_version(current: Product) -> Product:
        return replace(current, price_minor=current.price_minor + 1, version=current.version + 1)

    await asyncio.gather(*(kept.products.change(product_id(1), next_version) for _ in range(20)))
    now = await kept.products.get(product_id(1))
    assert now is not None
    assert (now.version, now.price_minor) == (21, 1999 + 20)
    versions = [event.message.product.version for event in await kept.staged()]  # type: ignore[attr-defined] # all have it
    assert versions == list(range(1, 22))


async def test_one_rebuild_at_a_time(kept: Kept) -> None:
    """The lock on rebuilding has one holder, and is free again when that one has finished."""
    async with kept.products.reindexing() as still_held:
        await still_held()
        with pytest.raises(ConflictError):
            async with kept.products.reindexing():
                pass
    async with kept.products.reindexing() as still_held:
        await still_held()
