"""`make bench`: every operation at several concurrencies, one state of the code or two in turn.

Each state runs a whole platform of its own at the same time, with the same data. An operation's lines are measured
round by round, each round one short run of every state, so that whatever else the machine does falls on all of them;
medians are printed. The machine's load shows in requests per second and in latency; CPU-milliseconds a request, over
all processes with the datastores, show it least.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import checkouts, figures, memory_table, sides
from tests.bench.data import load
from tests.bench.figures import AFTER, BEFORE, medians
from tests.bench.memory_table import Memory
from tests.bench.scenarios import scenarios
from tests.bench.sides import Side
from tests.bench.targets import Shop, Target, targets
from tests.client import SEARCH, GraphQL

CONCURRENCIES: Final = (1, 16, 64)
ROUNDS: Final = 3
# Load before an operation's first line, of each state: seconds at a time, how many at once, how often at most.
WARM_UP: Final = 8
WARM_UP_AT_ONCE: Final = 16
WARM_UPS: Final = 4
# Reads are warmed up by so many requests: Elasticsearch runs on a virtual machine that compiles what is used often, and
# costs several times as much until it has.
WARM_UP_READS: Final = 3_000
_SEARCHABLE_WITHIN: Final = 120


@dataclass(frozen=True)
class Plan:
    """What is measured: seconds of each run, operations with `only` in their name, against which commit."""

    seconds: int
    only: str = ""
    against: str = ""
    by_part: bool = False


async def bench(plan: Plan) -> bool:
    """Prints the tables; answers whether every reply was right. Raises UnknownStateError and RuntimeError."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = await _running(stack, plan.against)
        started = [_memory(side) for side in running]
        shops = [await _stocked(side) for side in running]
        good = await _measure_all(folder, shops, plan)
        for side, at_start in zip(running, started, strict=True):
            print(f"\n{side.name}:", *memory_table.table(at_start, _memory(side)), sep="\n", flush=True)
        return good


async def _running(stack: AsyncExitStack, against: str) -> list[Side]:
    states = [(AFTER, checkouts.at_hand())]
    if against:
        states.insert(0, (BEFORE, stack.enter_context(checkouts.checked_out(against))))
    return [await stack.enter_async_context(sides.running(name, checkout)) for name, checkout in states]


async def _stocked(side: Side) -> Shop:
    """Loads the data set and waits until the index has caught up with the last product."""
    began = time.monotonic()
    ask = GraphQL(side.urls[sides.GATEWAY])
    try:
        made = await load(ask)
        administrator = await ask.login(*side.administrator)
        await _until_searchable(ask, len(made.products))
    finally:
        await ask.close()
    took = time.monotonic() - began
    print(f"{side.name}: {len(made.products)} products, {len(made.tokens)} accounts loaded in {took:.0f} s", flush=True)
    return Shop(side, made, administrator)


async def _until_searchable(ask: GraphQL, products: int) -> None:
    """Asks for it again and again; a search that is refused on a busy machine is one more to repeat."""
    async with asyncio.timeout(_SEARCHABLE_WITHIN):
        while True:
            answer = await ask.ask(SEARCH, {"q": f"velvet lantern {products - 1}"})
            if any(product["name"].endswith(f" {products - 1}") for product in answer.data.get("product") or ()):
                return
            await asyncio.sleep(0.2)


async def _measure_all(folder: Path, shops: Sequence[Shop], plan: Plan) -> bool:
    print(figures.HEAD, flush=True)
    good = True
    for operation in zip(*(scenarios(shop.made, shop.administrator) for shop in shops), strict=True):
        if plan.only in operation[0].name:
            async with AsyncExitStack() as stack:
                found = await targets(stack, Path(tempfile.mkdtemp(dir=folder)), shops, operation)
                for target in found:
                    await _warm_up(target, WARM_UP_READS if operation[0].may_be_kept else 1)
                good = await _measure(operation[0].name, found, plan) and good
    return good


async def _warm_up(target: Target, requests: int) -> None:
    """Asks until so many are answered, or for as long as it may take."""
    answered = 0
    for _ in range(WARM_UPS):
        answered += (await target.measure(WARM_UP_AT_ONCE, WARM_UP)).requests
        if answered >= requests:
            return


async def _measure(operation: str, found: Sequence[Target], plan: Plan) -> bool:
    """Prints the lines of an operation; answers whether every reply was right."""
    good = True
    for at_once in CONCURRENCIES:
        rounds = [[await target.measure(at_once, plan.seconds) for target in found] for _ in range(ROUNDS)]
        states = {target.state: medians(runs) for target, runs in zip(found, zip(*rounds, strict=True), strict=True)}
        for state, line in states.items():
            good = good and line.good
            print(figures.row(operation, state, at_once, line), flush=True)
            if plan.by_part:
                print(figures.by_part(line), flush=True)
        if compared := figures.ratios(states):
            print(compared, flush=True)
    return good


def _memory(side: Side) -> Memory:
    return memory_table.memory_of(side.parts, without={*side.datastores, sides.OFF})
