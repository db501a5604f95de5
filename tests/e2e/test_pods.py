"""Claims about pods that die under steady requests: who is in flight may fail, nothing acknowledged is lost."""

from time import monotonic

import pytest

from local.up.programs import CommandFailedError
from tests.client import CREATE_PRODUCT, SEARCH
from tests.e2e.clusters import Stage, is_running, until
from tests.e2e.platforms import SERVICES, Platform, a_name
from tests.e2e.trickle import Trickle

# Seconds after a kill in which a connection to the dead pod may still be chosen: the endpoint leaves Services and DNS.
NOTICED_WITHIN = 6.0


async def _kill_one(stage: Stage, shop: Platform, component: str) -> float:
    """Kills the first of a component's pods, and answers when."""
    pods = await stage.all(shop.namespace, "pods", shop.of(component) + ",app.kubernetes.io/component=server")
    name = next(pod["metadata"]["name"] for pod in pods if is_running(pod))
    moment = monotonic()
    await stage.run("delete", "pod", name, "--namespace", shop.namespace, "--grace-period=0", "--force", "--wait=false")
    return moment


@pytest.mark.parametrize("component", SERVICES)
async def test_a_service_pod_is_killed(stage: Stage, shop: Platform, component: str) -> None:
    """One of two pods killed: only requests in flight fail, all acknowledged writes are there."""
    async with Trickle(shop) as trickle:
        await trickle.flows()
        killed = await _kill_one(stage, shop, component)
        await shop.ready()
        await trickle.flows()
    print(f"\n{component}: {trickle.summary()}")
    assert not trickle.unexplained([killed], NOTICED_WITHIN)
    assert not await trickle.lost()


@pytest.mark.parametrize("component", ["postgres", "kafka"])
async def test_a_datastore_pod_is_killed(stage: Stage, shop: Platform, component: str) -> None:
    """Requests that need it fail clearly while it is away; then all works and every acknowledged write is there."""
    async with Trickle(shop) as trickle:
        await trickle.flows()
        killed = monotonic()
        names = await stage.kill_pods(shop.namespace, shop.of(component) + ",app.kubernetes.io/component!=job")
        assert names
        await _back(stage, shop, component)
        await shop.ready()
        back = monotonic()
        await trickle.flows(within=180)
    print(f"\n{component}: away {back - killed:.0f} s, {trickle.summary()}")
    assert not trickle.unexplained([killed], back - killed + NOTICED_WITHIN)
    assert all("UNAVAILABLE" in each.what for each in trickle.failures), trickle.summary()
    if component == "kafka":
        assert not trickle.failures, "orders and reads do not need the broker: the outbox keeps the events"
    assert not await trickle.lost()


async def test_events_arrive_after_the_broker_died(stage: Stage, shop: Platform) -> None:
    """A product made while the broker is away is found by text search afterwards: its event was not lost."""
    ask = shop.gateway()
    token = await ask.register(a_name())
    await stage.kill_pods(shop.namespace, shop.of("kafka"))
    product = {"name": "Samovar", "description": "made in the dark", "price": 5.0}
    made = (await ask(CREATE_PRODUCT, {"p": product}, token))["createProduct"]["id"]
    await _back(stage, shop, "kafka")

    async def found() -> bool:
        answer = await ask.ask(SEARCH, {"q": "samovar"})
        return made in {each["id"] for each in answer.data.get("product") or []}

    await until(found, within=120, what="text search finds what was made without the broker")
    await shop.ready()


async def _back(stage: Stage, shop: Platform, component: str) -> None:
    """Waits until the component's pod runs again."""

    async def look() -> bool:
        try:
            pods = await stage.all(shop.namespace, "pods", shop.of(component))
        except CommandFailedError:
            return False
        return any(is_running(pod) and pod["metadata"].get("generateName", "").count("-") for pod in pods)

    await until(look, within=180, what=f"{component} runs again")
