"""`make bench`: starts the platform on free ports, loads the data set, measures every operation, prints a table.

Figures of one operation at several concurrencies come from one run of the same processes. The machine's load shows in
requests per second and in latency; CPU-milliseconds a request, over all processes with the datastores, show it least.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import psutil

from local.platform import Platform
from tests.bench import cpu, large, recommender, steps, wrk
from tests.bench.data import load
from tests.bench.scenarios import Scenario, expected_bodies, scenarios
from tests.client import SEARCH, GraphQL

CONCURRENCIES = (1, 16, 64)
# Seconds of load before each operation's first line, and at how many at once: Elasticsearch and Kafka run on a virtual
# machine that compiles what is used often, and costs several times as much until it has.
WARM_UP = 8
WARM_UP_AT_ONCE = 16
HEAD = f"{'operation':<24}{'at once':>8}{'rps':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU-ms':>9}{'wrong':>7}{'failed':>7}"


async def measure(scenario: Scenario, expected: list[str], url: str, seconds: int) -> bool:
    """Prints a line for each concurrency; answers whether every reply was right."""
    good = True
    me = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        script = wrk.write_script(Path(folder), scenario, expected)
        await wrk.run(script, url, connections=WARM_UP_AT_ONCE, seconds=WARM_UP)
        for connections in CONCURRENCIES:
            before = cpu.used(me)
            found = await wrk.run(script, url, connections=connections, seconds=seconds)
            # wrk has ended: its own time is in this process's account, not in its descendants'.
            spent = (cpu.used(me) - before) * 1000 / max(1, found.requests)
            good = good and not found.wrong and not found.failed and found.requests > 0
            print(
                f"{scenario.name:<24}{connections:>8}{found.rps:>9.1f}{found.p50:>9.1f}{found.p99:>9.1f}"
                f"{spent:>9.2f}{found.wrong:>7}{found.failed:>7}",
                flush=True,
            )
    return good


async def bench(seconds: int, only: str) -> bool:
    """Runs the whole of it; answers whether every reply was right."""
    async with Platform() as platform:
        ask = GraphQL(platform.graphql_url)
        started = time.monotonic()
        made = await load(ask)
        print(
            f"loaded in {time.monotonic() - started:.0f} s: {len(made.products)} products, {len(made.tokens)} accounts"
        )
        administrator = await ask.login(platform.administrator_email, platform.administrator_password)
        await _until_searchable(ask, len(made.products))
        print(HEAD)
        good = True
        for scenario in scenarios(made, administrator):
            if only in scenario.name:
                expected = await expected_bodies(scenario, ask)
                good = await measure(scenario, expected, platform.graphql_url, seconds) and good
        await ask.close()
        return good


async def _until_searchable(ask: GraphQL, products: int) -> None:
    """Waits until the index has caught up with the last product that was made."""
    async with asyncio.timeout(60):
        while True:
            found = await ask(SEARCH, {"q": f"velvet lantern {products - 1}"})
            if any(product["name"].endswith(f" {products - 1}") for product in found["product"]):
                return
            await asyncio.sleep(0.2)


def main() -> int:
    """Reads the command line; 0 when every reply was right."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("platform", "recommender", "steps"), default="platform")
    parser.add_argument(
        "--shop", choices=("small", "large"), default="small", help="large: a million products and orders beside a few"
    )
    parser.add_argument("--seconds", type=int, default=8, help="counted seconds of load for each line")
    parser.add_argument("--only", default="", help="only operations with this in their name")
    parser.add_argument(
        "--size", type=float, default=1.0, help="of the recommender's shop, as a share of the stated one"
    )
    options = parser.parse_args()
    if options.what == "recommender":
        return 0 if asyncio.run(recommender.bench(options.size, options.seconds)) else 1
    if options.what == "steps":
        return 0 if steps.run(options.seconds) else 1
    if not wrk.installed():
        print("wrk is missing. Get it with: apt-get install wrk", file=sys.stderr)
        return 1
    if options.shop == "large":
        return 0 if large.run(options.seconds) else 1
    return 0 if asyncio.run(bench(options.seconds, options.only)) else 1


if __name__ == "__main__":
    sys.exit(main())
