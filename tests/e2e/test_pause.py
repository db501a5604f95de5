"""Claims about a pause: nothing is changed, repaired or removed while it lasts; then everything is caught up with."""

import asyncio

from tests.e2e.clusters import Stage, until
from tests.e2e.platforms import Platform

# Longer than drift takes to be corrected by an operator that is not paused.
QUIET = 12.0


async def _replicas(stage: Stage, shop: Platform, component: str) -> int:
    found = await stage.get(shop.namespace, "deployment", f"{shop.name}-{component}")
    return int(found["spec"]["replicas"])


async def _scale(stage: Stage, shop: Platform, component: str, replicas: int) -> None:
    await stage.patch(shop.namespace, f"deployment/{shop.name}-{component}", {"spec": {"replicas": replicas}})


async def test_a_paused_platform_is_left_alone(stage: Stage, shop: Platform) -> None:
    """What is changed by hand stays changed until the pause ends."""
    await shop.change({"paused": True})
    await shop.says("gateway", "Paused", within=120)
    await _scale(stage, shop, "gateway", 3)
    await asyncio.sleep(QUIET)
    assert await _replicas(stage, shop, "gateway") == 3
    await shop.change({"paused": None})

    async def as_wished() -> bool:
        return await _replicas(stage, shop, "gateway") == 2

    await until(as_wished, within=60, what="the gateway has two replicas again")
    await shop.ready()


async def test_a_paused_component_is_left_alone(stage: Stage, shop: Platform) -> None:
    """One component rests; the others are looked after as ever."""
    await shop.change({"services": {"account": {"paused": True}}})
    await shop.says("account", "Paused", within=120)
    await _scale(stage, shop, "account", 1)
    await _scale(stage, shop, "order", 1)

    async def order_is_mended() -> bool:
        return await _replicas(stage, shop, "order") == 2

    await until(order_is_mended, within=60, what="order has two replicas again")
    assert await _replicas(stage, shop, "account") == 1
    await shop.change({"services": {"account": {"paused": None}}})

    async def account_is_mended() -> bool:
        return await _replicas(stage, shop, "account") == 2

    await until(account_is_mended, within=60, what="account has two replicas again")
    await shop.ready()
