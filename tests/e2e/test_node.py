"""Claims about the cluster failing below the platform. They need this host's own node, whose parts can be killed."""

import asyncio
from time import monotonic

import pytest

from local.kubernetes.node import Node
from tests.e2e.clusters import Stage, until
from tests.e2e.platforms import Platform
from tests.e2e.trickle import Trickle


@pytest.fixture
def node(stage: Stage) -> Node:
    """This host's own node."""
    if stage.node is None:
        pytest.skip(
            "the API server and the containers of a cluster that is not this host's own node are not ours to kill"
        )
    return stage.node


async def test_the_api_server_is_restarted(stage: Stage, shop: Platform, node: Node) -> None:
    """Requests do not notice; the operator goes on: what is deleted by hand afterwards comes back."""
    async with Trickle(shop) as trickle:
        await trickle.flows()
        await asyncio.to_thread(node.restart, "kube-apiserver", kill=True)
        await trickle.flows()
    print(f"\n{trickle.summary()}")
    assert not trickle.failures
    service = f"{shop.name}-gateway"
    await until(lambda: _deleted(stage, shop, service), within=60, what="the API server takes a deletion")

    async def back() -> bool:
        return bool(await stage.get(shop.namespace, "service", service))

    await until(back, within=90, what="the Service is back")
    await shop.ready()


async def _deleted(stage: Stage, shop: Platform, service: str) -> bool:
    await stage.run("delete", "service", service, "--namespace", shop.namespace)
    return True


async def test_all_containers_are_killed(shop: Platform, node: Node) -> None:
    """Everything on the node dies at once, as in a power cut: it comes back by itself with every acknowledged write."""
    async with Trickle(shop) as trickle:
        await trickle.flows()
        began = monotonic()
        killed = await asyncio.to_thread(node.kill_containers)
        await trickle.flows(requests=60, within=420)
        back = monotonic() - began
    await shop.ready()
    print(f"\n{killed} processes killed; requests are answered again after {back:.0f} s; {trickle.summary()}")
    assert not await trickle.lost()
