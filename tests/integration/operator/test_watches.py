"""Claims about the watches, against the API server itself."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path

import pytest

from ecommerce_operator.api import Api, connect
from ecommerce_operator.canary import LAG, Canary
from ecommerce_operator.controller import Controller
from ecommerce_operator.kinds import CONFIG_MAP, HTTP_ROUTE, Key, Kind
from ecommerce_operator.memory import Memory
from ecommerce_operator.store import Store
from ecommerce_operator.watches import Watch
from local.kubernetes.control_plane import ControlPlane
from local.progress import to_terminal
from tests.integration.operator.conftest import define, new_world
from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.world import World, until

LABELS = {"ecommerce.dev/platform": "shop"}


async def make(world: World, name: str) -> None:
    await world.create("ConfigMap", {"metadata": {"name": name, "labels": LABELS}, "data": {"large": "x"}})


@pytest.mark.parametrize("forgotten", ["1", "99999999999"], ids=["too old", "from the future"])
async def test_a_place_that_the_server_does_not_know_is_given_up(world: World, api: Api, forgotten: str) -> None:
    """A watch whose place was forgotten, or never was, lists again and misses nothing, not even what was deleted."""
    store = Store(lambda *_: None)
    watch = Watch(api, store, CONFIG_MAP, world.namespace, time.monotonic, inactivity=3)
    await make(world, "early")
    await make(world, "deleted")
    await follow(watch, until("both are seen", lambda: has(store, world, "early", "deleted")))
    await world.delete("ConfigMap", "deleted")
    await make(world, "late")
    watch._version = forgotten
    await follow(watch, until("it is as it is", lambda: has(store, world, "early", "late")))
    seen = store.get(Key(CONFIG_MAP, world.namespace, "late"), "shop")
    assert seen
    assert seen.body == {}


async def test_a_kind_that_is_not_there_holds_nobody_up(api: Api) -> None:
    """A kind that the API server does not know counts as listed where it is optional, and only there."""
    unknown = Kind("example.com/v1", "Thing", "things")
    for kind, synced in ((HTTP_ROUTE, True), (unknown, False)):
        watch = Watch(api, Store(lambda *_: None), kind, None, time.monotonic)
        running = asyncio.create_task(watch.run())
        with suppress(TimeoutError):
            # The one that must not come is waited for as long as an answer usually takes.
            await asyncio.wait_for(watch.synced.wait(), 60 if synced else 1)
        assert watch.synced.is_set() is synced
        running.cancel()


async def test_what_kopf_does_not_hand_over_is_fetched(world: World, api: Api) -> None:
    """A platform that the controller was not told of for some seconds is handed over by the canary."""
    passed = asyncio.Event()

    async def reconcile(_: Memory) -> float:
        passed.set()
        return 60.0

    async def ready() -> None:
        pass

    def remember(body: dict[str, dict[str, str]]) -> Memory:
        meta = body["metadata"]
        return Memory(meta["namespace"], meta["name"], body, applier=None, drifted=[])  # type: ignore[arg-type]

    controller = Controller(reconcile, remember, ready)  # type: ignore[arg-type]  # bodies are plain dicts
    canary = Canary(api, [world.namespace], controller, time.monotonic)
    watching = asyncio.create_task(canary.run())
    await world.apply()
    async with asyncio.timeout(LAG + 60):
        await passed.wait()
    assert canary.late() == []
    watching.cancel()
    await controller.close()


async def test_two_operators_agree(plane: ControlPlane, world: World, helm: Path, tmp_path: Path, api: Api) -> None:
    """Two operators at once end in one platform with one set of secrets, and then neither writes any more."""
    operators = [Operator(plane.kubeconfig, tmp_path / name, helm, namespaces=world.namespace) for name in "ab"]
    kubelet = Kubelet(api, world.namespace)
    working = asyncio.create_task(kubelet.run())
    try:
        await asyncio.gather(*(operator.start() for operator in operators))
        await world.apply()
        await world.ready()

        async def at_rest() -> bool:
            before = await versions(world)
            await asyncio.sleep(8)
            return await versions(world) == before

        # Not at once: each has yet to see what the other wrote last.
        await until("neither writes any more", at_rest)
    finally:
        working.cancel()
        for operator in operators:
            await operator.stop()


async def test_it_waits_for_its_definition(helm: Path, tmp_path: Path) -> None:
    """Started before its definition is installed, it says so, waits, and then brings platforms up."""
    async with ControlPlane(tmp_path / "plane", to_terminal) as plane:
        operator = Operator(plane.kubeconfig, tmp_path, helm)
        await operator.start()
        api = Api(await connect(str(plane.kubeconfig)))
        world = await new_world(api)

        async def said() -> bool:
            return "is the chart `crds` installed?" in operator.log()

        await until("it says what it waits for", said)
        await define(plane, helm)
        await world.apply()
        await until("something is there", world.everything)
        await operator.stop()
        await api.close()


async def versions(world: World) -> dict[str, str]:
    return {title: version(await world.get(*title.split("/"))) for title in await world.everything()}


def version(obj: dict[str, dict[str, str]] | None) -> str:
    return (obj or {"metadata": {"resourceVersion": ""}})["metadata"]["resourceVersion"]


async def has(store: Store, world: World, *names: str) -> bool:
    return {seen.key.name for seen in store.of_platform(world.namespace, "shop")} == set(names)


async def follow(watch: Watch, what: Awaitable[bool]) -> None:
    running = asyncio.create_task(watch.run())
    await what
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
