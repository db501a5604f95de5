"""Claims about a resource that changes: pauses, what is not wished any more, and wishes that cannot be met."""

import asyncio
from typing import Any

import pytest

from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.world import World, condition, until

pytestmark = pytest.mark.usefixtures("kubelet")


async def generation_of(world: World, spec: dict[str, Any]) -> int:
    return int((await world.apply(spec))["metadata"]["generation"])


async def gone(world: World, kind: str, name: str) -> bool:
    return await world.get(kind, name) is None


async def test_an_ingress_that_is_not_wished_any_more_goes(operator: Operator, world: World) -> None:
    """With ingress None both ways in are removed, and nothing else."""
    await world.apply()
    await world.ready()
    assert await world.names("Ingress")
    before = await world.everything()
    await world.ready(await generation_of(world, {"ingress": {"type": "None"}}))

    async def pruned() -> bool:
        return before - await world.everything() == {"Ingress/shop-payment", "Ingress/shop-gateway"}

    await until("the Ingresses are gone", pruned)
    assert operator.running


async def test_autoscaling_comes_and_goes_without_a_dip(operator: Operator, world: World) -> None:
    """Autoscaling keeps the number of pods that there is when it is switched on; off, its object is removed."""
    await world.ready(await generation_of(world, {"services": {"order": {"replicas": 3}}}))
    seen: list[int] = []
    stop = asyncio.create_task(record_replicas(world, "shop-order", seen))
    scaled = {"services": {"order": {"autoscaling": {"minReplicas": 2, "maxReplicas": 6}}}}
    await world.ready(await generation_of(world, scaled))
    assert await world.get("HorizontalPodAutoscaler", "shop-order")
    # As the autoscaler does it, and the operator leaves it at that.
    await world.patch("Deployment", "shop-order", {"spec": {"replicas": 5}}, "scale")
    await asyncio.sleep(2)  # long enough for a correction that there must not be
    stop.cancel()
    assert set(seen) <= {3, 5}
    assert seen[-1] == 5
    await world.ready(await generation_of(world, {"services": {"order": {"replicas": 3}}}))
    await until("the autoscaler is gone", lambda: gone(world, "HorizontalPodAutoscaler", "shop-order"))
    assert operator.running


async def record_replicas(world: World, name: str, seen: list[int]) -> None:
    while True:
        found = await world.get("Deployment", name)
        if found:
            seen.append(found["spec"]["replicas"])
        await asyncio.sleep(0.05)


async def test_a_paused_platform_is_left_alone(operator: Operator, world: World) -> None:
    """While all is paused nothing is written, not even what was deleted; afterwards it is back."""
    await world.apply()
    await world.ready()
    paused = await generation_of(world, {"paused": True, "version": "2.0.0"})

    async def told() -> bool:
        status = await world.status()
        return status["observedGeneration"] == paused and "Paused" in str(status["conditions"])

    await until("the pause is told", told)
    await world.delete("Service", "shop-gateway")
    await asyncio.sleep(3)  # long enough for a correction that there must not be
    assert await world.get("Service", "shop-gateway") is None
    await world.ready(await generation_of(world, {"paused": False, "version": "2.0.0"}))
    assert await world.get("Service", "shop-gateway")
    assert operator.running


async def test_a_paused_component_is_left_alone(operator: Operator, world: World) -> None:
    """One paused component keeps its version and its gaps while the others are updated."""
    await world.apply()
    await world.ready()
    await generation_of(world, {"version": "2.0.0", "services": {"order": {"paused": True}}})

    async def updated() -> bool:
        return (await world.component("gateway")).get("version") == "2.0.0" and (await world.component("gateway"))[
            "ready"
        ]

    await until("the gateway is updated", updated)
    await world.delete("Service", "shop-order")
    await asyncio.sleep(3)  # long enough for a correction that there must not be
    assert await world.get("Service", "shop-order") is None
    order = await world.get("Deployment", "shop-order")
    assert order
    assert order["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":1.0.0")
    assert (await world.component("order"))["reason"] == "Paused"
    assert operator.running


async def test_a_kind_that_the_cluster_does_not_know_is_told(operator: Operator, world: World) -> None:
    """An HTTPRoute where there is no Gateway API fails what the world reaches alone, until it is corrected."""
    route = {"ingress": {"type": "HTTPRoute", "host": "shop.example.com", "gateway": {"name": "public"}}}
    await world.apply(route)

    async def settled() -> bool:
        return (await world.status()).get("componentsReady") == "7/9"

    await until("all but two are ready", settled)
    for name in ("payment", "gateway"):
        line = await world.component(name)
        assert not line["ready"]
        assert line["message"]
    await world.ready(await generation_of(world, {}))
    assert operator.running


async def test_a_secret_that_a_resource_names_is_waited_for(operator: Operator, world: World) -> None:
    """Without the named Secret its readers say which one is missing; once it is there they come up."""
    await world.apply({"datastores": {"postgres": {"mode": "External", "external": {"secretName": "bought"}}}})

    async def told() -> bool:
        return "bought" in (await world.component("account")).get("message", "")

    await until("the missing Secret is named", told)
    readers = ("account", "product", "order", "payment", "recommender")
    urls = {name: f"postgresql://{name}:secret@db.example.com/{name}" for name in readers}
    await world.create("Secret", {"metadata": {"name": "bought"}, "stringData": urls})
    status = await world.ready()
    assert status["componentsReady"] == "8/8"
    assert "shop-account-database" not in await world.names("Secret")
    assert operator.running


async def test_a_providers_keys_are_waited_for(operator: Operator, world: World) -> None:
    """A real provider's Secret is named where it or one of its keys is missing; with both payment comes up."""
    hosts = {"redirectHosts": ["shop.example.com"]}
    await world.apply({"payment": {"provider": "Stripe", "secretName": "stripe", **hosts}})

    async def told(words: str) -> bool:
        return words in (await world.component("payment")).get("message", "")

    await until("the missing Secret is named", lambda: told("no Secret stripe"))
    await world.create("Secret", {"metadata": {"name": "stripe"}, "stringData": {"api-key": "sk_test_0"}})
    await until("the missing key is named", lambda: told("webhook-secrets"))
    keys = {"stringData": {"webhook-secrets": "whsec_0"}}
    await world.patch("Secret", "stripe", keys)
    status = await world.ready()
    assert status["componentsReady"] == "9/9"
    assert "shop-payment-sandbox" not in await world.names("Secret")
    assert operator.running


async def test_a_trainer_that_is_broken_is_a_warning(operator: Operator, world: World, kubelet: Kubelet) -> None:
    """The recommender's line says what is wrong with its trainer; it and the platform are ready all the same."""
    await world.apply()
    await world.ready()
    await kubelet.break_deployment("shop-recommender-trainer", "FailedCreate", "exceeded quota: small")

    async def told() -> bool:
        return "exceeded quota: small" in (await world.component("recommender"))["message"]

    await until("the trainer's reason is told", told)
    line, status = await world.component("recommender"), await world.status()
    assert (line["ready"], line["reason"]) == (True, "FailedCreate")
    assert (condition(status, "Ready"), condition(status, "Stalled")) == ("True", "False")
    assert status["componentsReady"] == "9/9"
    await kubelet.break_deployment("shop-recommender", "FailedCreate", "exceeded quota: tiny")

    async def failed() -> bool:
        return condition(await world.status(), "Ready") == "False"

    await until("the servers' failure is one", failed)
    assert operator.running


async def test_larger_volumes_are_asked_for(operator: Operator, world: World) -> None:
    """A larger size reaches the claims, and the StatefulSet is made again with it; no claim is lost."""
    await world.apply()
    await world.ready()
    claims = {
        claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in await world.list("PersistentVolumeClaim")
    }
    await world.apply({"datastores": {"kafka": {"storage": {"size": "9Gi"}}}})

    async def asked() -> str | None:
        status = await world.component("kafka")
        return str(status.get("message")) if not status["ready"] else None

    # Without a storage class that allows it the API server refuses; its sentence is passed on, and nothing is removed.
    assert "kafka" in await until("the refusal is told", asked)
    now = {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in await world.list("PersistentVolumeClaim")}
    assert now == claims
    assert operator.running
