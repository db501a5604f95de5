"""Claims about who runs passes, and when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from ecommerce_operator.controller import Controller
from ecommerce_operator.errors import UnreachableError
from ecommerce_operator.memory import Memory

QUIET = 3600.0


def body(name: str = "shop", version: int = 1, uid: str = "u") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "here", "uid": uid, "resourceVersion": str(version)}}


def remember(given: Any) -> Memory:
    meta = given["metadata"]
    return Memory(meta["namespace"], meta["name"], given, applier=None, drifted=[])  # type: ignore[arg-type]  # unused


class Passes:
    """Counts passes; each answers what `answer` says."""

    def __init__(self) -> None:
        self.seen: list[Memory] = []
        self.answer: Callable[[Memory], float] = lambda _: QUIET
        self.done = asyncio.Event()
        self.running = self.most = 0

    async def __call__(self, memory: Memory) -> float:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        self.seen.append(memory)
        self.done.set()
        return self.answer(memory)

    async def next(self) -> Memory:
        async with asyncio.timeout(30):
            await self.done.wait()
        self.done.clear()
        return self.seen[-1]


@pytest.fixture
def passes() -> Passes:
    return Passes()


@pytest.fixture
async def controller(passes: Passes) -> AsyncIterator[Controller]:
    async def at_once() -> None:
        pass

    controller = Controller(passes, remember, at_once)
    yield controller
    await controller.close()


async def test_a_pass_follows_on_each_sight(controller: Controller, passes: Passes) -> None:
    """The first sight of a platform and each newer one lead to a pass that sees it."""
    controller.observe(body(version=1))
    assert (await passes.next()).body["metadata"]["resourceVersion"] == "1"
    controller.observe(body(version=2))
    assert (await passes.next()).body["metadata"]["resourceVersion"] == "2"
    assert controller.version_of("here", "shop") == 2


async def test_many_wakes_are_one_pass(controller: Controller, passes: Passes) -> None:
    """What happens together is seen by one pass, and passes over a platform never overlap."""
    controller.observe(body())
    await passes.next()
    for _ in range(50):
        controller.wake("here", "shop")
    await passes.next()
    assert len(passes.seen) == 2
    assert passes.most == 1


async def test_a_fault_of_one_pass_ends_nothing(controller: Controller, passes: Passes) -> None:
    """After a pass that failed, and one that reached no server, there is another."""
    failures = [RuntimeError("a fault"), UnreachableError("away")]

    def answer(_: Memory) -> float:
        if failures:
            raise failures.pop()
        return QUIET

    passes.answer = answer
    controller.observe(body())
    for _ in range(3):
        await passes.next()
    assert len(passes.seen) == 3


async def test_a_deleted_platform_is_left_alone(controller: Controller, passes: Passes) -> None:
    """After its deletion a wake does nothing; one made anew under its name starts from nothing."""
    controller.observe(body(uid="first"))
    first = await passes.next()
    controller.observe(body(uid="first"), deleted=True)
    controller.wake("here", "shop")
    assert controller.version_of("here", "shop") == 0
    controller.observe(body(uid="second"))
    assert (await passes.next()) is not first
    controller.observe(body(uid="first"), deleted=True)
    assert controller.version_of("here", "shop") == 1
