"""Claims about a changed wish: it rolls without an error at the gateway, and a wrong one harms nobody."""

import asyncio
from time import monotonic

from tests.e2e.clusters import Stage
from tests.e2e.platforms import SERVICES, Platform
from tests.e2e.trickle import Trickle


async def _generations(stage: Stage, shop: Platform) -> dict[str, int]:
    """Answers how often each Deployment has been changed."""
    found = await stage.all(shop.namespace, "deployments", shop.selector)
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in found}


async def test_a_rolling_update_without_an_error(stage: Stage, shop: Platform) -> None:
    """Every service gets a new setting at once: all pods are replaced, and no request fails."""
    before = await _generations(stage, shop)
    async with Trickle(shop) as trickle:
        await trickle.flows()
        began = monotonic()
        await shop.change({"services": {name: {"env": [{"name": "E2E", "value": "1"}]} for name in SERVICES}})
        await shop.ready()
        took = monotonic() - began
        await asyncio.sleep(10)  # the last old pods are still leaving
        await trickle.flows()
    after = await _generations(stage, shop)
    print(f"\nrolling update of all services: {took:.0f} s, {trickle.summary()}")
    assert all(after[name] > before[name] for name in before)
    assert not trickle.failures
    assert not await trickle.lost()


async def test_the_operator_is_killed_during_an_update(stage: Stage, shop: Platform) -> None:
    """Killed twice while it rolls, it finishes what it began, without an error at the gateway."""
    async with Trickle(shop) as trickle:
        await trickle.flows()
        await shop.change({"services": {name: {"env": [{"name": "E2E", "value": "2"}]} for name in SERVICES}})
        for _ in range(2):
            await asyncio.sleep(4)  # in the midst of it: a rollout of four services takes half a minute
            await stage.kill_operator()
        await shop.ready()
        await asyncio.sleep(10)
    print(f"\n{trickle.summary()}")
    assert not trickle.failures
    pods = await stage.all(shop.namespace, "pods", f"{shop.selector},app.kubernetes.io/component=server")
    services = [pod for pod in pods if pod["metadata"]["labels"]["app.kubernetes.io/name"] in SERVICES]
    values = {_value(pod) for pod in services if "deletionTimestamp" not in pod["metadata"]}
    assert values == {"2"}


def _value(pod: dict[str, object]) -> object:
    (container,) = pod["spec"]["containers"]  # type: ignore[index]  # plain JSON
    return next((each["value"] for each in container["env"] if each["name"] == "E2E"), None)


async def test_an_image_that_does_not_exist(shop: Platform) -> None:
    """The component says which image cannot be pulled; all else and all requests go on; corrected, it is ready."""
    async with Trickle(shop) as trickle:
        await trickle.flows()
        await shop.change({"services": {"product": {"version": "no-such-version"}}})
        line = await shop.says("product", "Pull")
        assert "no-such-version" in line
        others = {name: each.ready for name, each in (await shop.lines()).items() if name != "product"}
        assert all(others.values()), others
        await shop.change({"services": {"product": {"version": None}}})
        await shop.ready()
    print(f"\nproduct: {line}; {trickle.summary()}")
    assert not trickle.failures


async def test_more_than_the_node_has(shop: Platform) -> None:
    """The scheduler's own words are in the status; the old pods go on; corrected, it is ready again."""
    huge = {"requests": {"cpu": "900", "memory": "192Mi"}, "limits": {"cpu": "900", "memory": "512Mi"}}
    async with Trickle(shop) as trickle:
        await trickle.flows()
        await shop.change({"services": {"order": {"resources": huge}}})
        line = await shop.says("order", "Unschedulable")
        assert "cpu" in line.lower()
        await shop.change({"services": {"order": {"resources": None}}})
        await shop.ready()
    print(f"\norder: {line}; {trickle.summary()}")
    assert not trickle.failures
