"""The indexer is level-triggered: whatever happens to events on their way, the index ends as the table is."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.gen.ecommerce.events import v1 as events_v1
from services.events import Event
from services.product.index import ALIAS
from services.product.indexer import Indexer, MeaninglessEventError, is_meaningful, newest_versions
from services.product.service import Product
from tests.factories.product import NOW, announcer, product, product_id
from tests.fakes.product import FakeProducts, FakeSearchIndex


async def _table_with_history(changes: list[tuple[int, str]]) -> FakeProducts:
    """A table after these changes to products by number, with the events of each of them."""
    table = FakeProducts(announcer())
    for number, what in changes:
        current = table.rows.get(product_id(number))
        if current is None:
            await table.add(product(number, name=what))
        elif what == "delete":
            await table.remove(current.id, lambda _: None)
        else:
            changed = replace(current, name=what, version=current.version + 1)
            await table.change(current.id, lambda _, changed=changed: changed)  # type: ignore[misc] # mypy infers none
    return table


async def _empty_index() -> FakeSearchIndex:
    index = FakeSearchIndex()
    await index.promote(await index.create())
    return index


_CHANGES = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["a", "b", "delete"])), max_size=12)


@given(_CHANGES, st.randoms(use_true_random=False))
def test_any_order(changes: list[tuple[int, str]], dice: random.Random) -> None:
    """Events doubled, shuffled and cut into any batches make the index what the table is."""

    async def prove() -> None:
        table, index = await _table_with_history(changes), await _empty_index()
        indexer = Indexer(table, index)
        events = table.staged * 2
        dice.shuffle(events)
        while events:
            size = dice.randint(1, len(events))
            await indexer(events[:size])
            events = events[size:]
        assert index.documents == table.rows

    asyncio.run(prove())


@given(_CHANGES, _CHANGES)
def test_behind(before: list[tuple[int, str]], after: list[tuple[int, str]]) -> None:
    """Events that come when the table has moved on do no harm: those of the later changes are still to come."""

    async def prove() -> None:
        table, index = await _table_with_history(before + after), await _empty_index()
        indexer = Indexer(table, index)
        for event in table.staged:
            await indexer([event])
        assert index.documents == table.rows
        # A replay of the whole topic changes nothing.
        await indexer(table.staged)
        assert index.documents == table.rows

    asyncio.run(prove())


async def test_one_read_one_write() -> None:
    """A batch is one query and one write, however many events it has."""
    reads: list[list[str]] = []

    class Counting(FakeProducts):
        async def get_many(self, ids: Sequence[str]) -> list[Product]:
            reads.append(list(ids))
            return await super().get_many(ids)

    table, index = Counting(announcer()), await _empty_index()
    writes: list[str] = []

    async def count(alias: str) -> None:
        writes.append(alias)

    index.after_write = count
    for number in range(1, 11):
        await table.add(product(number))
    await Indexer(table, index)(table.staged)
    assert len(reads) == 1
    assert writes == [ALIAS]


def _event(message: object) -> Event:
    return Event("event-1", NOW, "/product", "product_events", "key", message)  # type: ignore[arg-type] # wrong ones too


@pytest.mark.parametrize(
    "message",
    [
        events_v1.ProductCreated(),
        events_v1.ProductUpdated(product=events_v1.ProductSnapshot(id="x", version=1)),
        events_v1.ProductUpdated(product=events_v1.ProductSnapshot(id=product_id(1), version=0)),
        events_v1.ProductDeleted(id="\x00", version=1),
        events_v1.ProductDeleted(),
        events_v1.OrderPlaced(),
    ],
)
async def test_meaningless(message: object) -> None:
    """An event that names no product is refused before anything is written, so that it becomes a dead letter."""
    index = await _empty_index()
    assert not is_meaningful(_event(message))
    with pytest.raises(MeaninglessEventError):
        await Indexer(FakeProducts(announcer()), index)([_event(message)])
    assert index.documents == {}


def test_newest_version() -> None:
    """Of several events of one product the newest version counts, in whatever order they come."""
    versions = (3, 1, 2)
    events = [_event(events_v1.ProductDeleted(id=product_id(1), version=version)) for version in versions]
    assert newest_versions(events) == {product_id(1): 3}
