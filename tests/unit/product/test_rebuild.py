"""A rebuild loses nothing, resurrects nothing and leaves nothing behind, whatever goes on beside it."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from services.errors import ConflictError, UnavailableError
from services.product.index import ALIAS, building_alias
from services.product.indexer import Indexer
from services.product.keeper import Keeper
from services.product.rebuild import Outcome, Rebuild
from tests.factories.product import announcer, product, product_id
from tests.fakes.product import FakeProducts, FakeSearchIndex, FakeTail


class World:
    """A table, its topic, its index, and the indexer that follows the topic when it is told to."""

    def __init__(self, rows: int = 0) -> None:
        self.table = FakeProducts(announcer())
        self.index = FakeSearchIndex()
        self.indexer = Indexer(self.table, self.index)
        self.tail = FakeTail(self.table.staged)
        self.rebuild = Rebuild(self.table, self.index, self.indexer, self.tail.open)
        self.handled = 0
        self.numbers = rows
        self._dice = random.Random(3)

    async def fill(self) -> None:
        for number in range(1, self.numbers + 1):
            await self.table.add(product(number))

    async def change_something(self) -> None:
        """A create, an update and a delete, of products anywhere in the table."""
        self.numbers += 1
        await self.table.add(product(self.numbers))
        changed, deleted = self._dice.sample(sorted(self.table.rows), 2)
        await self.table.change(changed, lambda old: replace(old, name=f"{old.name}!", version=old.version + 1))
        await self.table.remove(deleted, lambda _: None)

    async def follow(self) -> None:
        """What the consumer does: hand over what is new, and forget it only once that has worked."""
        until = len(self.table.staged)
        await self.indexer(self.table.staged[self.handled : until])
        self.handled = max(self.handled, until)

    @property
    def indices(self) -> list[set[str]]:
        return [index.aliases for index in self.index.by_name.values()]


@pytest.fixture
async def world() -> World:
    """2,500 products, indexed."""
    world = World(2_500)
    await world.fill()
    await world.rebuild.restore()
    world.handled = len(world.table.staged)
    assert world.index.documents == world.table.rows
    return world


async def test_replace(world: World) -> None:
    """A new index takes the place of the old one, which is deleted."""
    before = set(world.index.by_name)
    done = await world.rebuild.replace()
    assert done == Outcome(done.index, rows=2_500, events=0)
    assert set(world.index.by_name) == {done.index}
    assert done.index not in before
    assert world.indices == [{ALIAS}]
    assert world.index.documents == world.table.rows


async def test_keep_old(world: World) -> None:
    """The old index can be kept; the next rebuild deletes it."""
    await world.rebuild.replace(keep_old=True)
    assert world.indices == [set(), {ALIAS}]
    await world.rebuild.replace()
    assert world.indices == [{ALIAS}]


async def test_writes_go_on(world: World) -> None:
    """Creates, updates and deletes at every moment of a rebuild, and an indexer that keeps up, all end in the index."""

    async def everything() -> None:
        await world.change_something()
        await world.follow()

    async def busy(_alias: str) -> None:
        # Only what the rebuild writes; the indexer's own writes would call for more without end.
        world.index.after_write = None
        await everything()
        world.index.after_write = busy

    world.table.meanwhile = everything
    world.tail.meanwhile = everything
    world.index.after_write = busy
    await world.rebuild.replace()
    world.table.meanwhile = world.tail.meanwhile = world.index.after_write = None
    await world.follow()
    assert world.index.documents == world.table.rows
    assert len(world.table.staged) > 2_520


async def test_indexer_ahead(world: World) -> None:
    """What the indexer wrote to the old index right before the swap is in the new one, though it is not told again."""
    promote = world.index.promote

    async def change_then_promote(index: str) -> None:
        await world.change_something()
        await world.follow()
        await promote(index)

    world.index.promote = change_then_promote  # type: ignore[method-assign] # what others do at that moment
    await world.rebuild.replace()
    assert world.index.documents == world.table.rows


async def test_deletions_stay(world: World) -> None:
    """A product that is deleted after it was copied is not in the new index."""
    writes = 0

    async def delete_the_first(alias: str) -> None:
        nonlocal writes
        writes += 1
        if writes == 1:
            assert alias.endswith("-building")
            await world.table.remove(product_id(1), lambda _: None)

    world.index.after_write = delete_the_first
    done = await world.rebuild.replace()
    assert done.events == 1
    assert product_id(1) not in world.index.documents
    assert world.index.documents == world.table.rows


async def _fail() -> None:
    raise UnavailableError("Not now.")


@pytest.mark.parametrize("what", ["table", "tail", "lock", "index"])
async def test_given_up(world: World, what: str) -> None:
    """A rebuild that fails before the swap leaves the index in use as it was, and nothing else."""
    before = dict(world.index.by_name)

    async def fail_on_write(_alias: str) -> None:
        await _fail()

    match what:
        case "table":
            world.table.meanwhile = _fail
        case "tail":
            world.tail.meanwhile = _fail
        case "lock":
            world.table._still_held = _fail  # type: ignore[method-assign] # a lock that was lost
        case _:
            world.index.after_write = fail_on_write
    with pytest.raises(UnavailableError):
        await world.rebuild.replace()
    assert world.index.by_name == before


async def test_died_after_the_swap(world: World) -> None:
    """A rebuild that dies between the swap and its end leaves an index that is known to be incomplete, and redone."""
    promote, follow_first = world.index.promote, world.follow

    async def change_then_promote(index: str) -> None:
        await world.change_something()
        await follow_first()
        await promote(index)
        world.tail.meanwhile = _fail

    world.index.promote = change_then_promote  # type: ignore[method-assign] # what others do at that moment
    with pytest.raises(UnavailableError):
        await world.rebuild.replace()
    assert world.index.documents != world.table.rows
    world.index.promote = promote  # type: ignore[method-assign]
    world.tail.meanwhile = None

    done = await world.rebuild.restore()
    assert done is not None
    assert world.indices == [{ALIAS}]
    assert world.index.documents == world.table.rows
    assert await world.rebuild.restore() is None


async def test_one_at_a_time(world: World) -> None:
    """A second rebuild at the same time is refused; restoring then leaves it to the first."""
    async with world.table.reindexing():
        with pytest.raises(ConflictError):
            await world.rebuild.replace()
        assert await world.rebuild.restore() is None
        world.index.by_name.clear()
        with pytest.raises(ConflictError):
            await world.rebuild.restore()
        assert await Keeper(world.rebuild).run_once() is None
    assert await Keeper(world.rebuild).run_once() is not None


async def test_missing() -> None:
    """Where no index is in use one is built from the table alone; events that waited in the meantime do no harm."""
    world = World(1_500)
    await world.fill()
    await world.change_something()
    with pytest.raises(UnavailableError):
        await world.follow()
    world.tail.meanwhile = _fail

    done = await world.rebuild.restore()
    assert done is not None
    assert done.rows == 1_500
    assert world.indices == [{ALIAS}]
    await world.follow()
    assert world.index.documents == world.table.rows


async def test_leftovers() -> None:
    """What rebuilds that died have left behind is deleted by the next."""
    world = World(3)
    await world.fill()
    dead = await world.index.create()
    assert world.indices == [{building_alias(dead)}]
    await world.rebuild.restore()
    assert world.indices == [{ALIAS}]


@pytest.mark.parametrize("meanwhile", [None, _fail])
async def test_keeper(meanwhile: Callable[[], Awaitable[None]] | None) -> None:
    """The keeper builds what is missing, once; what does not answer is tried again the next time."""
    world = World(3)
    await world.fill()
    keeper = Keeper(world.rebuild)
    world.table.meanwhile = meanwhile
    first = await keeper.run_once()
    world.table.meanwhile = None
    second = await keeper.run_once()
    assert (first is None) == (meanwhile is not None)
    assert (second is None) == (meanwhile is None)
    assert world.index.documents == world.table.rows
