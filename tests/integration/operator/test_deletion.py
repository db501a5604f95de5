"""Claims about taking a platform down."""

import asyncio
from contextlib import suppress

import pytest

from ecommerce_operator.api import Api
from tests.integration.operator.conftest import new_world
from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.world import World, until

pytestmark = pytest.mark.usefixtures("operator")
WHOLE = {"deletionPolicy": "Delete"}


async def gone(world: World) -> bool:
    return await world.platform() is None


async def test_volumes_and_their_secrets_are_kept_by_default(world: World, kubelet: Kubelet) -> None:
    """Under Retain all goes but the claims and the seeds, and a platform made anew has the same passwords."""
    await world.apply()
    await world.ready()
    password = (await world.get("Secret", "shop-postgres") or {})["data"]["password"]
    await world.delete_platform()
    await until("the platform is gone", lambda: gone(world))
    left = await world.everything()
    assert {name for name in left if name.startswith("Secret/")} == {"Secret/shop-root", "Secret/shop-root-copy"}
    assert {name.partition("/")[0] for name in left} == {"Secret", "PersistentVolumeClaim"}
    await world.apply()
    await world.ready()
    assert (await world.get("Secret", "shop-postgres") or {})["data"]["password"] == password
    assert kubelet.order


async def test_all_goes_under_the_policy_delete(world: World, kubelet: Kubelet) -> None:
    """Under Delete nothing that carries the platform's label is left."""
    await world.apply(WHOLE)
    await world.ready()
    kubelet.holds.add("shop")
    await world.delete_platform()
    # Nobody here takes off what protects claims in use, because nothing uses them; the API server adds it all the same.
    await until("the platform is gone", lambda: release_claims(world))
    assert await world.everything() == set()


async def test_deletion_while_installing(world: World, kubelet: Kubelet) -> None:
    """A platform that is deleted while it comes up goes as well."""
    kubelet.holds.add("shop-kafka")
    await world.apply(WHOLE)
    await until("something is there", lambda: world.get("StatefulSet", "shop-kafka"))
    await world.delete_platform()
    await until("the platform is gone", lambda: release_claims(world))
    assert await world.everything() == set()


async def test_the_gateway_goes_before_the_datastores(world: World, kubelet: Kubelet) -> None:
    """While a pod of the gateway is still there, no service and no datastore is touched."""
    await world.apply()
    await world.ready()
    labels = {"ecommerce.dev/platform": "shop", "ecommerce.dev/component": "gateway"}
    pod = {"metadata": {"name": "last", "labels": labels}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    await world.create("ServiceAccount", {"metadata": {"name": "default"}})
    await world.create("Pod", pod)
    await world.delete_platform()
    await until("the gateway is deleted", lambda: absent(world, "Deployment", "shop-gateway"))
    await asyncio.sleep(2)  # long enough for a step that must not be taken
    assert await world.get("Deployment", "shop-order")
    assert await world.get("StatefulSet", "shop-postgres")
    await world.api.request("DELETE", f"/api/v1/namespaces/{world.namespace}/pods/last", {"gracePeriodSeconds": "0"})
    await until("the platform is gone", lambda: gone(world))
    assert kubelet.order


async def absent(world: World, kind: str, name: str) -> bool:
    return await world.get(kind, name) is None


async def release_claims(world: World) -> bool:
    """Does what the controllers do for claims that no pod uses, and answers whether the platform is gone."""
    for claim in await world.list("PersistentVolumeClaim"):
        if "deletionTimestamp" in claim["metadata"]:
            with suppress(Exception):
                await world.patch(
                    "PersistentVolumeClaim", claim["metadata"]["name"], {"metadata": {"finalizers": None}}
                )
    return await gone(world)


async def test_two_platforms_do_not_touch_one_another(operator: Operator, api: Api) -> None:
    """Of two platforms of the same name in two namespaces one is deleted, and the other keeps every object."""
    first, second = [await new_world(api, name) for name in ("first", "second")]
    kubelets = [Kubelet(api, world.namespace) for world in (first, second)]
    working = [asyncio.create_task(kubelet.run()) for kubelet in kubelets]
    await asyncio.gather(first.apply(), second.apply())
    await asyncio.gather(first.ready(), second.ready())
    passwords = [(await world.get("Secret", "shop-postgres") or {})["data"]["password"] for world in (first, second)]
    assert passwords[0] != passwords[1]
    before = {(await second.get(*title.split("/")) or {})["metadata"]["uid"] for title in await second.everything()}
    await first.delete_platform()
    await until("the first is gone", lambda: gone(first))
    after = {(await second.get(*title.split("/")) or {})["metadata"]["uid"] for title in await second.everything()}
    assert after == before
    assert operator.running
    for task in working:
        task.cancel()
