"""Claims about the order in which components and stages are applied."""

import pytest

from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.world import World, until

pytestmark = pytest.mark.usefixtures("operator")


async def test_components_start_one_after_the_other(world: World, kubelet: Kubelet) -> None:
    """The datastores come first, then each service's migration before its pods, the gateway last."""
    await world.apply()
    await world.ready()
    order = [name.rpartition("-migrate-")[0] + "-migrate" if "-migrate-" in name else name for name in kubelet.order]
    before = [
        ("shop-postgres", "shop-account-migrate"),
        ("shop-account-migrate", "shop-account"),
        ("shop-product-migrate", "shop-product"),
        ("shop-account", "shop-product"),
        ("shop-kafka", "shop-product"),
        ("shop-elasticsearch", "shop-product"),
        ("shop-product", "shop-order"),
        ("shop-payment-migrate", "shop-payment"),
        ("shop-order", "shop-payment"),
        ("shop-payment", "shop-gateway"),
        ("shop-recommender-migrate", "shop-recommender"),
        ("shop-recommender-migrate", "shop-recommender-trainer"),
        ("shop-recommender", "shop-gateway"),
    ]
    assert [(a, b) for a, b in before if order.index(a) > order.index(b)] == []


async def test_nothing_of_a_service_starts_before_its_database(world: World, kubelet: Kubelet) -> None:
    """While PostgreSQL is not ready no migration is made, and the status says what is waited for."""
    kubelet.holds.add("shop-postgres")
    await world.apply()
    await until("kafka is there", lambda: world.get("StatefulSet", "shop-kafka"))

    async def waiting() -> bool:
        return "postgres" in (await world.component("account")).get("message", "")

    await until("account waits", waiting)
    assert await world.list("Deployment") == []
    assert [name for name in await world.names("Job") if "migrate" in name] == []
    kubelet.holds.clear()
    await world.ready()


async def test_pods_of_a_new_version_wait_for_its_migration(world: World, kubelet: Kubelet) -> None:
    """After a change of version the Deployment keeps its image until the new migration is complete."""
    await world.apply()
    await world.ready()
    kubelet.holds.add("shop-account-migrate")
    changed = await world.apply({"version": "2.0.0"})

    async def second() -> bool:
        return len([name for name in await world.names("Job") if name.startswith("shop-account-migrate")]) == 2

    await until("the new migration is there", second)
    assert (await image(world, "shop-account")).endswith(":1.0.0")
    kubelet.holds.clear()
    await world.ready(changed["metadata"]["generation"])
    assert (await image(world, "shop-account")).endswith(":2.0.0")


async def test_the_old_migration_goes_after_the_new_one(world: World, kubelet: Kubelet) -> None:
    """Once the new version is healthy the Job of the old one is removed."""
    await world.apply()
    await world.ready()
    old = {name for name in await world.names("Job") if "migrate" in name}
    changed = await world.apply({"version": "2.0.0"})
    await world.ready(changed["metadata"]["generation"])

    async def gone() -> bool:
        return not old & await world.names("Job")

    await until("old migrations are gone", gone)
    assert len([name for name in await world.names("Job") if "migrate" in name]) == len(old)
    assert kubelet.order


async def test_a_component_that_fails_does_not_stop_the_others(world: World, kubelet: Kubelet) -> None:
    """With product's migration failed, order and gateway come up, and the status names the failure."""
    kubelet.fails.add("shop-product-migrate")
    await world.apply()

    async def settled() -> bool:
        status = await world.status()
        return status.get("componentsReady") == "8/9"

    await until("all but one are ready", settled)
    assert (await world.component("product"))["reason"] not in ("Ready", "Waiting")
    assert await world.get("Deployment", "shop-product") is None


async def test_a_failed_migration_is_tried_again(world: World, kubelet: Kubelet) -> None:
    """A Job that failed for good is made again after a pause, and when its cause is gone all becomes ready."""
    kubelet.fails.add("shop-product-migrate")
    await world.apply()

    async def failed() -> dict[str, object] | None:
        line = await world.component("product")
        return line if line.get("reason") not in ("Waiting", "Progressing", None) and not line["ready"] else None

    await until("the failure is seen", failed)
    kubelet.fails.clear()
    await world.ready()


async def image(world: World, deployment: str) -> str:
    found = await world.get("Deployment", deployment)
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])
