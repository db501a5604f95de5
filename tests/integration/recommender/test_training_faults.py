"""What must never bring a bad model into service: kills, damaged bytes, and data that misleads."""

import asyncio
import math
from collections.abc import Collection

import pytest

from protos.gen.ecommerce.recommender.v1 import Reason
from tests.integration.recommender.tastes import Tastes, two_tastes
from tests.integration.recommender.world import World

HALVES = (
    "SELECT (SELECT count(*) FROM model_parts p WHERE NOT EXISTS (SELECT 1 FROM models m WHERE m.version = p.version))"
    " + (SELECT count(*) FROM models m WHERE m.refusal = ''"
    " AND NOT EXISTS (SELECT 1 FROM model_parts p WHERE p.version = m.version))"
)


@pytest.fixture(scope="module")
def instances() -> Collection[str]:
    """Two of each; only the first ones run from the start."""
    return ("recommender", "recommender-2", "recommender-trainer", "recommender-trainer-2")


@pytest.fixture(scope="module")
async def tastes(world: World) -> Tastes:
    """A shop that has sold for ten days, and its first model; the trainer is stopped between the tests."""
    await world.platform.service("recommender-2").stop()
    await world.platform.service("recommender-trainer-2").stop()
    some = two_tastes()
    await world.feed.tell(*some.catalogue(), *some.deeds())
    await world.feed.caught_up()
    await world.serves()
    await world.trainer.stop()
    return some


async def versions(world: World) -> list[int]:
    """The versions that may serve."""
    return [row.version for row in await world.sql("SELECT version FROM models WHERE refusal = '' ORDER BY version")]


async def news(world: World, tastes: Tastes) -> None:
    """Gives the trainer a reason to train, and by new accounts something to prove itself by."""
    await world.feed.tell(*tastes.others().deeds(days=0.5))
    await world.feed.caught_up()


async def test_killed_inside_the_transaction_that_saves(world: World, tastes: Tastes) -> None:
    """A model half saved was never there: the one before serves on, and the next training is as any other."""
    before = await versions(world)
    await news(world, tastes)
    async with world.held("model_parts", "INSERT") as held:
        await world.trainer.start()
        await held.reached()
        await world.trainer.kill()
    assert (await versions(world), (await world.sql(HALVES))[0][0]) == (before, 0)
    assert (await world.after_viewing(take=1)).version == before[-1]
    await world.trainer.start()
    await world.serves(above=before[-1])
    await world.trainer.stop()


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6, 1.0, 1.5])
async def test_killed_at_any_moment(world: World, tastes: Tastes, seconds: float) -> None:
    """Wherever the kill hits, what is in the database are whole models, and a server has one of them."""
    before = await versions(world)
    await news(world, tastes)
    await world.trainer.start()
    await asyncio.sleep(seconds)  # the moment is the test's parameter
    await world.trainer.kill()
    assert (await world.sql(HALVES))[0][0] == 0
    assert before[-1] in await versions(world)
    assert (await world.of(tastes.accounts["tea"][0])).why(Reason.TASTE)


async def test_two_trainers_do_the_work_of_one(world: World, tastes: Tastes) -> None:
    """A second trainer is idle while the first one lives; after a kill it takes over."""
    first, second = world.trainer, world.platform.service("recommender-trainer-2")
    (*_, version) = await versions(world)

    async def trained() -> float:
        return await world.metric("recommender_trainings_total", instance=second.name)

    await first.start()
    await second.start()
    for survivor in (first, second):
        await news(world, tastes)
        version = await world.serves(above=version)
        assert survivor.running
        if survivor is first:
            assert await trained() == 0
        else:
            await world.eventually(trained, "the second one has trained")
        await first.kill()
    await second.stop()


async def test_every_server_takes_the_model_up(world: World, tastes: Tastes) -> None:
    """Two servers share the topics, and answer the same from the same model."""
    account_id = tastes.accounts["wood"][1]
    answer = await world.settled(lambda: world.of(account_id))
    await world.started("recommender-2")
    await world.same(lambda: world.of(account_id, instance="recommender-2"), answer, "the second answers as the first")
    await world.platform.service("recommender-2").stop()


async def test_a_damaged_model_is_passed_over(world: World, tastes: Tastes) -> None:
    """The last good one serves on, also after a restart; the next good one is taken up."""
    good = (await world.after_viewing(take=1)).version
    answer = await world.of(tastes.accounts["tea"][0])
    await news(world, tastes)
    world.server.pause()
    try:
        await world.trainer.start()
        await world.until("SELECT max(version) > :good FROM models WHERE refusal = ''", wanted=True, good=good)
        await world.trainer.stop()
        await world.change(
            "UPDATE model_parts SET content = set_byte(content, length(content) / 2,"
            " 255 - get_byte(content, length(content) / 2)) WHERE version > :good",
            good=good,
        )
    finally:
        world.server.resume()

    async def noticed() -> bool:
        return await world.metric("recommender_models_unreadable_total") > 0

    await world.eventually(noticed, "the damage is noticed")
    assert (await world.of(tastes.accounts["tea"][0])).version == good
    await world.server.kill()
    await world.started()
    assert await world.serves() == good
    assert (await world.of(tastes.accounts["tea"][0])).why(Reason.TASTE)
    assert answer.why(Reason.TASTE)
    damaged = (await versions(world))[-1]
    await news(world, tastes)
    await world.trainer.start()
    await world.serves(above=damaged)
    await world.trainer.stop()


async def test_a_worse_candidate_is_refused(world: World, tastes: Tastes) -> None:
    """When everybody turns to the other taste, a model of the past does not say what comes, and is refused."""
    before = await versions(world)
    turned = tastes.others()
    await world.feed.tell(*turned.deeds())
    await world.feed.caught_up()
    ((told,),) = await world.sql("SELECT count(*) FROM interactions")
    # All that is held out, a tenth, and later than anything else.
    each = math.ceil(told / 9 / sum(map(len, turned.accounts.values())))
    await world.feed.tell(*turned.deeds(days=0.0001, each=each, crossed=True))
    await world.feed.caught_up()
    refused = "SELECT count(*) FROM models WHERE refusal <> ''"
    ((count,),) = await world.sql(refused)
    world.trainer.environment["TOLERANCE"] = "0.05"
    await world.trainer.start()
    await world.until(f"SELECT ({refused}) > :count", wanted=True, count=count)
    await world.trainer.stop()
    assert await versions(world) == before
    (row,) = await world.sql("SELECT refusal, version FROM models ORDER BY version DESC LIMIT 1")
    assert "popular" in row.refusal
    assert not await world.sql("SELECT 1 FROM model_parts WHERE version = :version", version=row.version)
    assert (await world.after_viewing(take=1)).version == before[-1]
