"""What must not change the state that the topics come to: kills, replays, poison, Kafka away."""

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex
from typing import Any
from uuid import uuid4

import pytest

from local.datastores import Datastores
from local.probes import grpc_serves
from protos.gen.ecommerce.account.v1 import Account
from services import codec
from services.events import Event
from services.publisher import Outgoing
from tests.integration import kafka
from tests.integration.recommender import feed
from tests.integration.recommender.tastes import Tastes, two_tastes
from tests.integration.recommender.world import World

# Seconds without Kafka. A minute shows nothing more than this does, and everyone who runs the tests waits for it.
OUTAGE = float(os.environ.get("RECOMMENDER_TEST_OUTAGE_SECONDS", "8"))


@pytest.fixture(scope="module")
async def tastes(world: World) -> Tastes:
    """A shop that has sold for ten days; nothing trains while its intake is tried."""
    some = two_tastes()
    await world.feed.tell(*some.catalogue(), *some.deeds())
    await world.feed.caught_up()
    await world.serves()
    await world.trainer.stop()
    return some


async def ids_in(world: World, events: list[Event]) -> list[str]:
    """The ids of those events that the database has, as often as it has them."""
    wanted = [event.id for event in events]
    rows = await world.sql(
        "SELECT event_id AS id FROM interactions WHERE event_id = ANY(CAST(:ids AS text[]))", ids=wanted
    )
    return sorted(row.id for row in rows)


async def test_killed_inside_the_transaction_of_a_batch(world: World, tastes: Tastes) -> None:
    """Killed with a batch half written: once it is back, every event of the batch counts, once."""
    events = tastes.deeds(days=1, seed=2)
    async with world.held("interactions", "INSERT") as held:
        await world.feed.tell(*events)
        await held.reached()
        await world.server.kill()
    await world.started()
    await world.feed.caught_up()
    assert await ids_in(world, events) == sorted(event.id for event in events)


async def test_killed_again_and_again_while_events_pour_in(world: World, tastes: Tastes) -> None:
    """Whenever the kills hit, the state is that of the topics: nothing lost or twice, and the newest versions."""
    events = [event for seed in range(3, 7) for event in tastes.deeds(days=1, seed=seed)]
    changed = tastes.products["tea"][0]
    for version, share in enumerate((events[:300], events[300:600], events[600:]), start=2):
        before = await world.metric("consumer_handled_events_total", group="recommender-interactions")
        await world.feed.tell(*share, feed.product(changed, f"tea of version {version}", version))

        async def under_way(before: float = before) -> bool:
            return await world.metric("consumer_handled_events_total", group="recommender-interactions") > before

        await world.eventually(under_way, "it has begun to take events in")
        await world.server.kill()
        await world.started()
    await world.feed.caught_up()
    assert await ids_in(world, events) == sorted(event.id for event in events)
    (row,) = await world.sql("SELECT version, description FROM products WHERE product_id = :id", id=changed)
    assert (row.version, row.description) == (4, "tea of version 4")


async def test_both_topics_replayed_twice(world: World, tastes: Tastes) -> None:
    """Read from their beginning again, and once more, the topics come to the same tables and the same answers."""
    gone = tastes.products["wood"][-1]
    await world.feed.tell(feed.deleted(gone, version=7))
    await world.feed.caught_up()
    account_id = tastes.accounts["tea"][3]
    tables = await world.state()
    answer = await world.settled(lambda: world.of(account_id))
    assert gone not in answer.ids
    for _ in range(2):
        await world.server.stop()
        await world.feed.rewind()
        await world.started()
        await world.feed.caught_up()
        assert await world.state() == tables
        await world.same(lambda: world.of(account_id), answer, "it answers as before")


async def test_poisoned_events_become_dead_letters(world: World, tastes: Tastes, datastores: Datastores) -> None:
    """What is no event, or says what cannot be, is put aside with the reason; what stands around it counts."""
    servers = datastores.kafka.bootstrap_servers
    account_id, product_id = tastes.accounts["tea"][0], tastes.products["tea"][0]
    good = [feed.view(account_id, product_id) for _ in range(3)]
    topic, key = "interaction_events", str(account_id).encode()
    stranger = feed.record(feed.view(account_id, product_id))
    headers = [
        (name, b"ecommerce.account.v1.Account" if name == "ce_type" else text) for name, text in stranger.headers
    ]
    poison = [
        Outgoing(topic, key, b"\xff\xfe garbage", []),
        Outgoing(topic, key, codec.encode(Account(id=1)), headers),
        feed.record(feed.view(account_id, "with\0nul")),
        feed.record(feed.purchase(account_id, product_id, quantity=-5)),
        feed.record(replace(feed.view(account_id, product_id), id=token_hex(5_000))),
        Outgoing("product_events", b"p", None, feed.record(feed.product("p", "d")).headers),
        feed.record(feed.product("with\0nul", "d")),
        feed.record(feed.product("with\na break", "d")),
    ]
    await world.feed.send([feed.record(good[0]), *poison[:2], feed.record(good[1]), *poison[2:], feed.record(good[2])])
    await world.feed.caught_up()
    assert await ids_in(world, good) == sorted(event.id for event in good)
    for topic, group in feed.GROUPS.items():
        values = [record.value or b"" for record in poison if record.topic == topic]
        # Others of the shop put the same records aside for themselves.
        letters = await kafka.read(servers, f"{topic}.dlq", partial(_has, group, len(values)))
        assert sorted(letter.value or b"" for letter in _of(letters, group)) == sorted(values)
        assert all(dict(letter.headers)["dlq-reason"] for letter in _of(letters, group))
    assert await grpc_serves(world.server.port)


def _has(group: str, number: int, letters: list[Any]) -> bool:
    return len(_of(letters, group)) >= number


def _of(letters: list[Any], group: str) -> list[Any]:
    return [letter for letter in letters if dict(letter.headers)["dlq-group"] == group.encode()]


async def test_kafka_away_for_a_while(world: World, tastes: Tastes, datastores: Datastores) -> None:
    """Answers go on, also of a process that is started meanwhile; what happened is read once Kafka is back."""
    account_id = tastes.accounts["wood"][0]
    answer = await world.settled(lambda: world.of(account_id))
    await datastores.kafka.kill()
    try:
        clock = asyncio.get_running_loop().time
        back = clock() + OUTAGE
        while clock() < back:
            assert await world.of(account_id) == answer
            await asyncio.sleep(0.2)
        await world.server.kill()
        await world.started()
        await world.same(lambda: world.of(account_id), answer, "the one that was started answers as the one before")
    finally:
        await datastores.kafka.start()
    events = [feed.view(account_id, tastes.products["tea"][0], datetime.now(UTC)) for _ in range(3)]
    await world.feed.tell(*events)
    await world.feed.caught_up()
    assert await ids_in(world, events) == sorted(event.id for event in events)


async def test_events_out_of_order_leave_the_newest(world: World, tastes: Tastes) -> None:
    """An older version that comes late changes nothing, and what was deleted does not come back."""
    product_id = f"late-{uuid4().hex[:8]}"
    await world.feed.tell(feed.product(product_id, "third", 3), feed.product(product_id, "second", 2))
    await world.feed.caught_up()
    (row,) = await world.sql("SELECT description FROM products WHERE product_id = :id", id=product_id)
    assert row.description == "third"
    await world.feed.tell(feed.deleted(product_id, 5), feed.product(product_id, "fourth", 4))
    await world.feed.caught_up()

    async def gone() -> bool:
        return product_id not in (await world.after_viewing(tastes.products["tea"][0])).ids

    await world.eventually(gone, "the deleted product is gone")
