"""Claims about what comes back when somebody changes or deletes what the operator has made.

It is back within ten seconds on a machine that has nothing else to do, which e2e measures; here it is back at all.
"""

import asyncio
import base64

import pytest

from tests.integration.operator.operator_process import Operator
from tests.integration.operator.world import World, until

pytestmark = pytest.mark.usefixtures("kubelet")


async def test_every_deleted_object_is_back(operator: Operator, world: World) -> None:
    """Whatever is deleted by hand is there again, and the event says so."""
    await world.apply()
    await world.ready()
    everything = await world.everything()
    own = {name for name in everything if not name.startswith("PersistentVolumeClaim/")}
    for title in sorted(own):
        await world.delete(*title.split("/"))

    async def back() -> bool:
        return own <= await world.everything()

    await until("everything is back", back)
    await world.ready()

    async def told() -> bool:
        return "DriftCorrected" in {event["reason"] for event in await world.list("Event")}

    await until("the event says so", told)
    assert "Traceback" not in operator.log()


async def test_an_edited_deployment_is_put_right(operator: Operator, world: World) -> None:
    """A changed image, a changed number of replicas and a removed label become what they were."""
    await world.apply()
    await world.ready()
    before = await world.get("Deployment", "shop-order")
    assert before
    template = {"spec": {"containers": [{"name": before["spec"]["template"]["spec"]["containers"][0]["name"]}]}}
    assert template
    edit = [
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "example.com/other:1"},
        {"op": "remove", "path": "/metadata/labels/ecommerce.dev~1component"},
    ]
    await world.patch("Deployment", "shop-order", edit)

    async def restored() -> bool:
        now = await world.get("Deployment", "shop-order")
        return (
            now is not None
            and now["spec"] == before["spec"]
            and now["metadata"]["labels"] == before["metadata"]["labels"]
        )

    await until("as it was", restored)
    assert operator.running


async def test_an_object_without_our_label_is_found_again(operator: Operator, world: World) -> None:
    """A Service whose platform label was removed gets it back, although no watch shows it any more."""
    await world.apply()
    await world.ready()
    await world.patch("Service", "shop-gateway", [{"op": "remove", "path": "/metadata/labels/ecommerce.dev~1platform"}])

    async def labelled() -> bool:
        now = await world.get("Service", "shop-gateway")
        return now is not None and now["metadata"]["labels"].get("ecommerce.dev/platform") == "shop"

    await until("labelled", labelled)
    assert operator.running


async def test_secrets_come_back_with_what_they_held(operator: Operator, world: World) -> None:
    """Removed Secrets, the seed among them, come back with the same content; edited ones are put right."""
    await world.apply()
    await world.ready()
    before = await contents(world)
    assert {"shop-root", "shop-root-copy", "shop-postgres", "shop-account-database"} <= before.keys()
    for name in before.keys() - {"shop-root-copy"}:
        await world.delete("Secret", name)
    await until("all Secrets are back", lambda: same(world, before))
    other = base64.b64encode(b"other").decode()
    await world.patch("Secret", "shop-account-database", {"data": {"password": other}})
    await world.delete("Secret", "shop-root-copy")
    await until("all Secrets are right", lambda: same(world, before))
    assert operator.running


async def test_what_others_add_is_left_alone(operator: Operator, world: World) -> None:
    """An annotation of somebody else stays, and causes no write."""
    await world.apply()
    await world.ready()
    await world.patch("Service", "shop-gateway", {"metadata": {"annotations": {"example.com/note": "mine"}}})
    await asyncio.sleep(2)  # long enough for the operator to have done something about it
    service = await world.get("Service", "shop-gateway")
    assert service
    assert service["metadata"]["annotations"]["example.com/note"] == "mine"
    assert operator.running


async def contents(world: World) -> dict[str, dict[str, str]]:
    return {secret["metadata"]["name"]: secret["data"] for secret in await world.list("Secret")}


async def same(world: World, before: dict[str, dict[str, str]]) -> bool:
    return await contents(world) == before
