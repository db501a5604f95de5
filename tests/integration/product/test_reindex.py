"""The index is replaced while writes go on, and nothing is lost, doubled or brought back."""

import asyncio
import contextlib
import random
from uuid import uuid4

import pytest

from services.errors import NotFoundError, UnavailableError
from services.product.index import ALIAS
from tests.integration.product.conftest import Person, Shop
from tests.integration.product.test_faults import killed


async def test_reindex_under_writes(shop: Shop, owner: Person) -> None:
    """Creates, updates and deletes all the time, three rebuilds: afterwards the index is the table, and searchable."""
    await asyncio.gather(*(shop.create(owner, f"Settled {number}") for number in range(300)))
    await shop.in_step()
    stop = asyncio.Event()
    writers = [asyncio.create_task(_write(shop, owner, random.Random(seed), stop)) for seed in range(4)]
    searcher = asyncio.create_task(_search(shop, stop))
    before = set(await shop.index.indices())
    try:
        for _ in range(3):
            status, said = await shop.command("reindex")
            assert status == 0, said
    finally:
        stop.set()
    written = sum(await asyncio.gather(*writers))
    assert await searcher > 10
    assert written > 100
    (index,) = (await shop.index.indices()).items()
    assert index[0] not in before
    assert index[1] == {ALIAS}
    await shop.in_step()


async def _write(shop: Shop, owner: Person, dice: random.Random, stop: asyncio.Event) -> int:
    """Answers how many changes were made."""
    mine: list[str] = []
    done = 0
    while not stop.is_set():
        what = dice.random()
        if what < 0.5 or len(mine) < 5:
            mine.append((await shop.create(owner, f"Moving {uuid4().hex[:6]}")).id)
        elif what < 0.8:
            await shop.update(owner, dice.choice(mine), f"Moved {uuid4().hex[:6]}")
        else:
            await shop.delete(owner, mine.pop(dice.randrange(len(mine))))
        done += 1
    return done


async def _search(shop: Shop, stop: asyncio.Event) -> int:
    """What does not change is found at every moment: the swap leaves no gap. Answers how many searches were answered.

    One that a busy machine does not answer in its two seconds tells nothing either way.
    """
    answered = 0
    while not stop.is_set():
        with contextlib.suppress(UnavailableError):
            assert len(await shop.find("settled", take=100)) == 100
            answered += 1
    return answered


async def test_keep_old(shop: Shop) -> None:
    """The index that was in use can be kept; the next rebuild deletes it."""
    (old,) = await shop.index.indices()
    status, said = await shop.command("reindex", "--keep-old")
    assert status == 0, said
    assert (await shop.index.indices())[old] == set()
    assert (await shop.command("reindex"))[0] == 0
    assert len(await shop.index.indices()) == 1


async def test_one_at_a_time(shop: Shop) -> None:
    """A second rebuild is refused in one line, and the first is not disturbed."""
    async with shop.table.reindexing():
        status, said = await shop.command("reindex")
    assert status == 1
    assert said.splitlines()[-1] == "product: Another process is building the search index."


async def test_without_elasticsearch(shop: Shop) -> None:
    """A rebuild without Elasticsearch fails in one line."""
    async with killed(shop.datastores.elasticsearch):
        status, said = await shop.command("reindex")
        assert status == 1
        assert said.splitlines()[-1] == "product: The search index does not answer now."
        status, said = await shop.command("migrate")
        assert status == 0, said
    await shop.searchable()


async def test_migrate_again(shop: Shop, owner: Person) -> None:
    """Migrating once more changes nothing."""
    made = await shop.create(owner, "There before")
    indices = await shop.index.indices()
    status, said = await shop.command("migrate")
    assert status == 0, said
    assert await shop.get(made.id) == made
    assert await shop.index.indices() == indices


async def test_killed_in_the_middle(shop: Shop, owner: Person) -> None:
    """A rebuild that is killed leaves the index in use, and the next one tidies up."""
    made = await shop.create(owner, "Survivor")
    await shop.found(made)
    (old,) = await shop.index.indices()
    unfinished = await shop.index.create()
    assert (await shop.index.indices())[old] == {ALIAS}
    await shop.found(made)
    assert (await shop.command("reindex"))[0] == 0
    assert {old, unfinished}.isdisjoint(await shop.index.indices())
    await shop.in_step()


async def test_settings_are_named(shop: Shop) -> None:
    """A missing setting stops the start with its name; nothing is repeated of what was given."""
    environment = shop.platform.environment("product")
    del environment["ELASTICSEARCH_URL"]
    environment["CURRENCY"] = "dollars"
    for command, name in (("serve", "CURRENCY"), ("reindex", "ELASTICSEARCH_URL")):
        status, said = await shop.command(command, environment=environment)
        assert status == 1
        assert said.startswith("product: ")
        assert name in said
        assert environment["DATABASE_URL"] not in said


async def test_deleted_for_good(shop: Shop, owner: Person) -> None:
    """What was taken down is in no index after a rebuild, and nowhere else."""
    made = await shop.create(owner, "Unwanted")
    await shop.found(made)
    await shop.delete(owner, made.id)
    assert (await shop.command("reindex"))[0] == 0
    await shop.in_step()
    assert made.id not in await shop.documents()
    with pytest.raises(NotFoundError):
        await shop.get(made.id)
