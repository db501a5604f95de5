"""`python -m tests.bench steps`: offered load rises step by step until the platform does not follow; finds the knee.

Each step offers the shop's mix (mix.py) at a fixed rate in an open loop (arrivals.py). The knee is the last step
before the first one whose p99 is over five times the first step's, or which achieves less than 95 % of what was
offered. CPU is counted by part, so that the knee also tells what it is made of and what is scaled first.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from local.platform import Platform
from tests.bench import load_plot, load_table, parts
from tests.bench.arrivals import Arrivals, Call
from tests.bench.loading import INSTANCES, stocked
from tests.bench.mix import Visitors
from tests.bench.step import CLIENT, Step, is_past, knee
from tests.client import GraphQL

PRODUCTS: Final = 20_000
ORDERS: Final = 20_000
BUYERS: Final = 100
FIRST: Final = 100.0
FACTOR: Final = 1.3
MOST_STEPS: Final = 30
# Steps past the knee, so that the picture shows what lies behind it.
BEYOND: Final = 2
WARM_UP_RATE: Final = 100.0
WARM_UP: Final = 20.0
DOCS: Final = Path(__file__).resolve().parents[2] / "docs"


async def bench(seconds: float, folder: Path = DOCS, products: int = PRODUCTS, orders: int = ORDERS) -> bool:
    """Prints each step, writes picture and table into `folder`; answers whether up to a knee all went right."""
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(Platform(instances=INSTANCES))
        visitors = await _loaded(platform, products, orders)
        arrivals = await stack.enter_async_context(Arrivals(visitors.host, visitors.port))
        await arrivals.offer(WARM_UP_RATE, WARM_UP, visitors.draw(seed=0))
        print(load_table.HEAD, flush=True)
        steps = await climb(lambda rate: _step(platform, arrivals, visitors.draw(), rate, seconds))
    found = knee(steps)
    text = load_table.markdown(steps, found, shop=f"{products:,} products, {orders:,} orders", machine=_machine())
    write(folder, text, steps, found)
    print(f"\n{text}")
    return found is not None and not any(step.wrong for step in steps[: steps.index(found) + 1])


async def climb(measure: Callable[[float], Awaitable[Step]]) -> list[Step]:
    """Measures rising rates until some in a row are past the knee; answers the steps."""
    steps: list[Step] = []
    rate, past = FIRST, 0
    while past < BEYOND and len(steps) < MOST_STEPS:
        steps.append(await measure(rate))
        print(load_table.row(steps[-1]), flush=True)
        past = past + 1 if is_past(steps[-1], steps[0]) else 0
        rate *= FACTOR
    return steps


def write(folder: Path, text: str, steps: list[Step], found: Step | None) -> None:
    """Writes `load.svg` and `load.md` into a folder, which is made where it is not there."""
    folder.mkdir(exist_ok=True)
    load_plot.draw(steps, found, folder / "load.svg")
    (folder / "load.md").write_text(text)


async def _loaded(platform: Platform, products: int, orders: int) -> Visitors:
    ask = GraphQL(platform.graphql_url)
    try:
        catalogue, tokens = await stocked(platform, ask, products, orders, BUYERS)
    finally:
        await ask.close()
    return Visitors("127.0.0.1", platform.layout.ports["gateway"], catalogue, tokens)


async def _step(platform: Platform, arrivals: Arrivals, draw: Callable[[], Call], rate: float, seconds: float) -> Step:
    before = _used(platform)
    tally = await arrivals.offer(rate, seconds, draw)
    used = parts.between(before, _used(platform))
    p50, p99 = np.percentile(tally.seconds, [50, 99]) * 1000 if tally.seconds else (0.0, float("inf"))
    return Step(
        offered=tally.due / seconds,
        achieved=len(tally.seconds) / tally.lasted,
        p50=float(p50),
        p99=float(p99),
        wrong=tally.wrong,
        failed=tally.failed,
        refused=tally.refused,
        processors={name: spent / tally.lasted for name, spent in used.items()},
    )


def _used(platform: Platform) -> dict[str, float]:
    own = psutil.Process().cpu_times()
    return {**parts.used_by_part(platform), CLIENT: own.user + own.system}


def _machine() -> str:
    return f"{os.cpu_count()} processors, which the client shares"
