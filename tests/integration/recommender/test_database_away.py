"""PostgreSQL gone: serving goes on from memory, and the same processes work on when it is back."""

import asyncio
import os
from time import monotonic

from local.datastores import Datastores
from local.probes import grpc_serves
from protos.gen.ecommerce.recommender.v1 import Reason
from tests.integration.recommender import feed
from tests.integration.recommender.tastes import two_tastes
from tests.integration.recommender.world import World

# Seconds without PostgreSQL. A minute shows nothing more than this does, and everyone who runs the tests waits for it.
OUTAGE = float(os.environ.get("RECOMMENDER_TEST_OUTAGE_SECONDS", "10"))


async def test_answers_go_on_without_the_database(world: World, datastores: Datastores) -> None:
    """All this time accounts, new visitors and pages are answered as before, quickly; then deeds count again."""
    tastes = two_tastes()
    await world.feed.tell(*tastes.catalogue(), *tastes.deeds())
    await world.feed.caught_up()
    version = await world.serves()
    await world.trainer.stop()
    known, seldom = tastes.accounts["tea"][:2]
    viewed = tastes.products["wood"][:2]
    before = {
        "known": await world.settled(lambda: world.of(known)),
        "session": await world.settled(lambda: world.after_viewing(*viewed)),
    }
    await world.trainer.start()
    pids = [world.server.pid, world.trainer.pid]
    waits: list[float] = []
    await datastores.postgres.kill()
    try:
        back = monotonic() + OUTAGE
        while monotonic() < back:
            began = monotonic()
            assert await world.of(known) == before["known"]
            assert await world.after_viewing(*viewed) == before["session"]
            # Asked for the first time now: what it did is known from the model itself.
            assert (await world.of(seldom)).why(Reason.TASTE)
            waits.append(monotonic() - began)
            await asyncio.sleep(0.1)
        assert await grpc_serves(world.server.port)
    finally:
        await datastores.postgres.start()
    assert sorted(waits)[len(waits) // 2] < 2, "three answers, none of which hangs on the database"
    assert await world.metric("recommender_fallbacks_total", kind="history_memory") > 0
    assert await world.metric("recommender_fallbacks_total", kind="history_model") > 0
    wanted = before["known"].ids[0]
    await world.feed.tell(feed.purchase(known, wanted))

    async def left_out() -> bool:
        return wanted not in (await world.of(known)).ids

    await world.eventually(left_out, "what is bought afterwards is left out")
    await world.feed.tell(*tastes.others().deeds(days=0.5))
    await world.serves(above=version)
    assert [world.server.pid, world.trainer.pid] == pids
