"""What one operation is measured against, in turn: each state's gateway with and without its cache, constant bytes.

Answers that are expected come from a gateway that keeps none. The one with a cache is measured once all of them come
out of it, and has to answer the very same bytes: the cache shows in the cost and nowhere else.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import figures, parts, sides, wrk
from tests.bench.constant import ConstantServer
from tests.bench.data import Dataset
from tests.bench.figures import Figures
from tests.bench.scenarios import Request, Scenario, expected_bodies
from tests.bench.sides import Side
from tests.client import GraphQL

# Seconds for a gateway's cache to hold all answers of an operation: it may have started just now.
_KEPT_WITHIN: Final = 60


@dataclass(frozen=True)
class Shop:
    """A running state with the data set in it."""

    side: Side
    made: Dataset
    administrator: str


@dataclass(frozen=True)
class Target:
    """One address that is asked for an operation, the script that asks it, and the processes whose time it takes."""

    state: str
    url: str
    script: Path
    parts: Mapping[str, int]

    async def measure(self, connections: int, seconds: int) -> Figures:
        """Answers what so much load for so long finds."""
        before = parts.used(self.parts)
        found = await wrk.run(self.script, self.url, connections=connections, seconds=seconds)
        spent = parts.between(before, parts.used(self.parts))
        each = {name: used * 1000 / max(1, found.requests) for name, used in spent.items()}
        return Figures(found.rps, found.p50, found.p99, found.wrong, found.failed, each, found.requests)


async def targets(
    stack: AsyncExitStack, folder: Path, shops: Sequence[Shop], operation: Sequence[Scenario]
) -> list[Target]:
    """Answers what an operation is measured against; `operation` is its scenario for each of the shops."""
    found: list[Target] = []
    for shop, scenario in zip(shops, operation, strict=True):
        own = folder / shop.side.name
        expected = await _expected(shop.side, scenario)
        script = wrk.write_script(own, scenario, expected)
        for state, gateway in _states(shop.side, scenario):
            url = shop.side.urls[gateway]
            if state == figures.UNCHANGED:
                await until_kept(url, scenario, expected)
            found.append(Target(state, url, script, shop.side.behind(gateway)))
    if found[-1].state == figures.UNCHANGED:
        found.append(await _constant(stack, folder, operation[-1], expected))
    return found


def _states(side: Side, scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Yields each state's name in the table, with the gateway that is in it.

    A state before that has a cache as well is measured with it, as whoever ran it did.
    """
    if side.name == figures.AFTER and side.has_cache and scenario.may_be_kept:
        yield figures.OFF, sides.OFF
        yield figures.UNCHANGED, sides.GATEWAY
    else:
        yield side.name, sides.GATEWAY


async def _expected(side: Side, scenario: Scenario) -> list[str]:
    ask = GraphQL(side.urls[sides.OFF if side.has_cache else sides.GATEWAY])
    try:
        return await expected_bodies(scenario, ask)
    finally:
        await ask.close()


async def until_kept(url: str, scenario: Scenario, expected: Sequence[str]) -> None:
    """Waits until every answer comes out of the cache, which an entity tag tells; raises RuntimeError.

    An answer from there that differs from what was expected is refused at once.
    """
    ask = GraphQL(url)
    try:
        async with asyncio.timeout(_KEPT_WITHIN):
            for request, body in zip(scenario.requests, expected, strict=True):
                answer = await _kept(ask, request)
                if answer != body:
                    raise RuntimeError(f"{scenario.name}: the cache answers otherwise: {answer[:500]}")
    except TimeoutError:
        raise RuntimeError(f"{scenario.name}: the gateway at {url} keeps no answers.") from None
    finally:
        await ask.close()


async def _kept(ask: GraphQL, request: Request) -> str:
    """Asks until the answer comes out of the cache."""
    while True:
        response = await ask.post(request.query, request.variables)
        if "etag" in response.headers:
            return response.text
        await asyncio.sleep(0.1)


async def _constant(stack: AsyncExitStack, folder: Path, scenario: Scenario, expected: Sequence[str]) -> Target:
    """Serves the answer of median size to whoever asks for any."""
    body = sorted(expected, key=len)[len(expected) // 2]
    server = await stack.enter_async_context(ConstantServer(folder, body.encode()))
    script = wrk.write_script(folder / "constant", scenario, [body])
    return Target(figures.CONSTANT, server.url, script, {server.name: server.pid})
