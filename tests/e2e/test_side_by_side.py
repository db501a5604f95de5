"""Claims about two platforms in two namespaces: the second comes and goes, and the first does not notice.

The operator is killed again and again while the second is installed, and while it is deleted.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.up.programs import CommandFailedError
from tests.client import CREATE_PRODUCT
from tests.e2e.clusters import Stage, until
from tests.e2e.conftest import answers
from tests.e2e.platforms import SERVICES, Platform, a_name
from tests.e2e.trickle import Trickle

TINY = {"requests": {"cpu": "10m", "memory": "128Mi"}}
KILLS = 4
BETWEEN_KILLS = 12.0


@pytest.fixture(scope="module")
async def twin(stage: Stage, shop: Platform) -> AsyncIterator[Platform]:
    """A platform of the same name in another namespace, installed by an operator that dies all the time."""
    twin = Platform(stage, "twin", "e2e-twin", {"deletionPolicy": "Delete"})
    await twin.apply()
    assert shop.namespace != twin.namespace
    yield twin
    await twin.change({"paused": False}) if await twin.resource() else None


async def test_the_operator_is_killed_during_the_first_install(stage: Stage, twin: Platform) -> None:
    """Killed with -9 while it installs, each time at another step, it ends with a platform that is Ready and works."""
    for _ in range(KILLS):
        await asyncio.sleep(BETWEEN_KILLS)
        await stage.kill_operator()
    took = await twin.ready()
    await answers(twin)
    print(f"\nReady {took:.0f} s after the last of {KILLS} kills")
    jobs = await stage.all(twin.namespace, "jobs", twin.selector)
    assert all(each["status"].get("succeeded") == 1 for each in jobs)


async def test_the_platforms_do_not_mix(shop: Platform, twin: Platform) -> None:
    """A product of one is not in the other, and a token of one does not open the other."""
    ours, theirs = shop.gateway(), twin.gateway()
    token = await ours.register(a_name())
    product = (await ours(CREATE_PRODUCT, {"p": {"name": "Ours", "description": "", "price": 1.0}}, token))[
        "createProduct"
    ]
    assert (await theirs("query($id: String) { product(id: $id) { id } }", {"id": product["id"]}))["product"] == []
    answer = await theirs.ask(CREATE_PRODUCT, {"p": {"name": "Theirs", "description": "", "price": 1.0}}, token)
    assert answer.codes == ["UNAUTHENTICATED"]


async def test_a_rolling_update_with_one_pod_each(twin: Platform) -> None:
    """The smallest shop has one pod of each service, and rolls without an error all the same."""
    async with Trickle(twin) as trickle:
        await trickle.flows()
        await twin.change({"services": {name: {"env": [{"name": "E2E", "value": "1"}]} for name in SERVICES}})
        await twin.ready()
        await asyncio.sleep(15)  # the last old pods are still leaving
        await trickle.flows()
    print(f"\n{trickle.summary()}")
    assert not trickle.failures


async def test_one_is_deleted_while_the_operator_is_killed(stage: Stage, shop: Platform, twin: Platform) -> None:
    """Everything of it goes, volumes too as its policy says; the other answers all the while without an error."""
    async with Trickle(shop) as trickle:
        await trickle.flows()
        await stage.run("delete", "ecp", twin.name, "--namespace", twin.namespace, "--wait=false")
        for _ in range(2):
            await asyncio.sleep(4)  # a deletion goes in three stages that take some ten seconds each
            await stage.kill_operator()
        await twin.gone(300)
    print(f"\nthe other one meanwhile: {trickle.summary()}")
    assert not trickle.failures
    await _nothing_left(stage, twin)
    await shop.ready(60)


async def _nothing_left(stage: Stage, platform: Platform) -> None:
    kinds = "deployments,statefulsets,services,configmaps,secrets,networkpolicies,ingresses,jobs,pods,pvc"

    async def look() -> bool:
        return not await stage.all(platform.namespace, kinds, platform.selector)

    try:
        await until(look, within=90, what="nothing is left of it")
    except AssertionError:
        left = await stage.all(platform.namespace, kinds, platform.selector)
        names = [f"{each['kind']}/{each['metadata']['name']}" for each in left]
        raise AssertionError(f"left behind: {names}") from None
    except CommandFailedError as error:  # pragma: no cover (the API is away at this very moment)
        raise AssertionError(str(error)) from None
