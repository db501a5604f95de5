"""Claims about an operator that is killed or ended, and about an API server that is away."""

import asyncio
import random
from functools import partial
from time import monotonic

import pytest

from local.kubernetes.control_plane import ControlPlane
from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.world import World, until

KOPF_WAITS = 5.0  # seconds, for tasks that began after it


async def picture(world: World) -> dict[str, object]:
    """Answers everything that an undisturbed operator would have made, without what differs from run to run."""
    found: dict[str, object] = {}
    for title in await world.everything():
        obj = await world.get(*title.split("/")) or {}
        parts = {name: obj.get(name) for name in ("spec", "data", "stringData", "type") if name in obj}
        if title.startswith(("Service/", "Secret/", "Job/", "PersistentVolumeClaim/")):
            parts = {}  # addresses, random bytes and names that the API server gives
        found[title] = parts
    return found


async def disturbed(operator: Operator, kills: int, seed: int) -> None:
    """Kills the operator some times, each time at another moment of its work, and lets it live after that."""
    chance = random.Random(seed)
    for _ in range(kills):
        await operator.start()
        await asyncio.sleep(chance.uniform(0.0, 2.5))
        await operator.kill()
    await operator.start()


@pytest.mark.timeout(900)  # nine starts; it took three minutes of five on a busy machine
@pytest.mark.parametrize("seed", [3])
async def test_killed_at_any_moment_it_ends_in_the_same_state(
    own_operator: Operator, world: World, kubelet: Kubelet, seed: int
) -> None:
    """Killed again and again during install, update and deletion, the operator reaches the state it would have."""
    await own_operator.kill()
    await world.apply({"deletionPolicy": "Retain"})
    await disturbed(own_operator, 3, seed)
    await world.ready()
    installed = await picture(world)
    passwords = {one["metadata"]["name"]: one["data"] for one in await world.list("Secret")}
    await own_operator.kill()
    changed = await world.apply({"version": "2.0.0", "ingress": {"type": "None"}})
    await disturbed(own_operator, 3, seed)
    await world.ready(changed["metadata"]["generation"])
    await until("the Ingress is pruned", lambda: absent(world, "Ingress", "shop-gateway"))
    await own_operator.kill()
    back = await world.apply({})
    await disturbed(own_operator, 2, seed)
    await world.ready(back["metadata"]["generation"])

    async def same() -> bool:
        now = await picture(world)
        return {**now, "ConfigMap/shop-inventory": 0} == {**installed, "ConfigMap/shop-inventory": 0}

    await until("the state of the first install", same)
    assert {one["metadata"]["name"]: one["data"] for one in await world.list("Secret")} == passwords
    await own_operator.kill()
    await world.delete_platform()
    await disturbed(own_operator, 2, seed)
    await until("the platform is gone", lambda: gone(world))
    assert {name.partition("/")[0] for name in await world.everything()} == {"Secret", "PersistentVolumeClaim"}
    assert kubelet.order


async def test_it_ends_soon_when_it_is_told_to(own_operator: Operator, world: World, kubelet: Kubelet) -> None:
    """SIGTERM ends it with status 0 before kopf would give up on tasks that hang: its watches are over by then."""
    await world.apply()
    await world.ready()
    # A busy machine may hold it up once or twice; tasks that hang would each time.
    took = [await _seconds_to_end(own_operator)]
    while took[-1] >= KOPF_WAITS and len(took) < 4:
        passes = _passes(own_operator)
        await own_operator.start()
        await until("it works again", partial(_works_again, own_operator, passes))
        took.append(await _seconds_to_end(own_operator))
    assert min(took) < KOPF_WAITS
    assert "Traceback" not in own_operator.log()
    assert kubelet.order


async def _seconds_to_end(operator: Operator) -> float:
    """Tells it to end; answers how long that took."""
    began = monotonic()
    await operator.stop()
    assert await operator.wait() == 0
    return monotonic() - began


def _passes(operator: Operator) -> int:
    return operator.log().count("A pass is over.")


async def _works_again(operator: Operator, passes: int) -> bool:
    return _passes(operator) > passes


async def test_an_api_server_that_is_away_is_waited_for(
    plane: ControlPlane, own_operator: Operator, world: World, kubelet: Kubelet
) -> None:
    """While the API server is away the operator lives on; when it is back, what happened meanwhile is seen."""
    await world.apply()
    await world.ready()
    server = plane.processes["kube-apiserver"]
    pid = own_operator.pid
    await server.kill()
    await asyncio.sleep(12)  # longer than all attempts at one request take
    assert (await own_operator.health()).status_code == 200
    await server.start()
    await world.delete("Service", "shop-gateway")
    await until("the Service is back", lambda: world.get("Service", "shop-gateway"))
    changed = await world.apply({"version": "2.0.0"})
    await world.ready(changed["metadata"]["generation"])
    assert own_operator.pid == pid
    assert kubelet.order


async def gone(world: World) -> bool:
    return await world.platform() is None


async def absent(world: World, kind: str, name: str) -> bool:
    return await world.get(kind, name) is None
