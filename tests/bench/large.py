"""`make bench SIZE=large`: what a read and an order cost with a million products and a million orders, beside a few.

Two platforms run side by side, one small and one large, and are measured in turn, so that whatever else the machine
does falls on both. The small platform has no page 1,000; the large one's is held against the small one's first. The
gateways keep no answers: out of memory they would be the same from any shop.
"""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from local.platform import Platform
from tests.bench import parts, wrk
from tests.bench.catalogue import Catalogue
from tests.bench.data import LINES_EACH
from tests.bench.loading import INSTANCES, stocked
from tests.bench.scenarios import (
    BY_ID,
    PAGE,
    PAGE_OF,
    PLACE_ORDER,
    PLACED_ORDER,
    Request,
    Scenario,
    expected_bodies,
    search,
)
from tests.client import GraphQL

LARGE: Final = 1_000_000
SMALL_PRODUCTS: Final = 2_000
SMALL_ORDERS: Final = 1_000
BUYERS: Final = 50
# By id, of so many different products: of a million, the pages they lie on are not all in memory from the start.
VARIANTS: Final = 1_000
AT_ONCE: Final = 16
WARM_UP: Final = 8
ROUNDS: Final = 3
NO_CACHE: Final = {"gateway": {"RESPONSE_CACHE_BYTES": "0"}}
# What the large one may cost, as a multiple of the small one's figure.
ALLOWED: Final = 2.0
HEAD: Final = (
    f"{'operation':<24}{'CPU-ms':>9}{'large':>9}{'ratio':>7}{'p50 ms':>9}{'large':>9}{'ratio':>7}"
    f"{'p99 ms':>9}{'large':>9}{'ratio':>7}{'wrong':>7}{'failed':>7}"
)


@dataclass(frozen=True)
class Shop:
    """A running platform with a catalogue in it, and the tokens of those that own the products."""

    platform: Platform
    catalogue: Catalogue
    tokens: Sequence[str]
    ask: GraphQL


@dataclass(frozen=True)
class Figures:
    """One line of one platform: CPU-milliseconds a request over all processes, and latency in milliseconds."""

    cpu: float
    p50: float
    p99: float
    wrong: int
    failed: int


async def bench(seconds: int, products: int = LARGE, orders: int = LARGE, rounds: int = ROUNDS) -> bool:
    """Prints a line for each operation; answers whether all replies were right and all figures within the bound."""
    async with AsyncExitStack() as stack:
        small = await _open(stack, SMALL_PRODUCTS, SMALL_ORDERS)
        large = await _open(stack, products, orders)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        print(HEAD, flush=True)
        good = True
        for name, of_small, of_large in _pairs(small, large):
            measured = [await _ready(folder, shop, scenario)
                        for shop, scenario in ((small, of_small), (large, of_large))]  # fmt: skip
            good = await _compare(name, measured, seconds, rounds) and good
        return good


async def _open(stack: AsyncExitStack, products: int, orders: int) -> Shop:
    platform = await stack.enter_async_context(Platform(instances=INSTANCES, overrides=NO_CACHE))
    ask = GraphQL(platform.graphql_url)
    stack.push_async_callback(ask.close)
    began = time.monotonic()
    catalogue, tokens = await stocked(platform, ask, products, orders, BUYERS)
    print(f"loaded in {time.monotonic() - began:.0f} s: {products:,} products, {orders:,} orders", flush=True)
    return Shop(platform, catalogue, tokens, ask)


def _pairs(small: Shop, large: Shop) -> list[tuple[str, Scenario, Scenario]]:
    """Answers what is measured: its name, and the scenario for each of the two."""
    first = _page("page 1", 1)
    return [
        ("product by id", _by_id(small), _by_id(large)),
        ("page 1", first, first),
        ("page 1,000", first, _page("page 1,000", min(1_000, large.catalogue.products // PAGE))),
        ("search", search(), search()),
        ("createOrder of 3", _create_order(small), _create_order(large)),
    ]


def _by_id(shop: Shop) -> Scenario:
    numbers = random.Random(7).sample(range(shop.catalogue.products), VARIANTS)
    requests = [Request(BY_ID, {"id": Catalogue.product_id(number)}) for number in numbers]
    return Scenario("product by id", requests, lambda request, data: _ids(data) == [request.variables["id"]])


def _page(name: str, number: int) -> Scenario:
    """Answers the scenario of one page, the first being 1."""
    skip = PAGE * (number - 1)
    wanted = [Catalogue.product_id(skip + n) for n in range(PAGE)]
    request = Request(PAGE_OF, {"p": {"skip": skip, "take": PAGE}})
    return Scenario(name, [request], lambda _, data: _ids(data) == wanted)


def _create_order(shop: Shop) -> Scenario:
    dice = random.Random(8)
    requests = []
    for number in range(VARIANTS):
        bought = dice.sample(range(shop.catalogue.products), LINES_EACH)
        lines = [{"id": Catalogue.product_id(each), "quantity": 1} for each in bought]
        requests.append(Request(PLACE_ORDER, {"o": {"products": lines}}, shop.tokens[number % len(shop.tokens)]))
    return Scenario("createOrder", requests, pattern=PLACED_ORDER)


def _ids(data: dict[str, Any]) -> list[str]:
    return [product["id"] for product in data["product"]]


Measure = Callable[[int], Any]


async def _ready(folder: Path, shop: Shop, scenario: Scenario) -> Measure:
    """Warms an operation up; answers what measures it for so many seconds."""
    expected = await expected_bodies(scenario, shop.ask)
    script = wrk.write_script(Path(tempfile.mkdtemp(dir=folder)), scenario, expected)
    url = shop.platform.graphql_url
    await wrk.run(script, url, connections=AT_ONCE, seconds=WARM_UP)

    async def measure(seconds: int) -> Figures:
        before = sum(parts.used_by_part(shop.platform).values())
        found = await wrk.run(script, url, connections=AT_ONCE, seconds=seconds)
        spent = sum(parts.used_by_part(shop.platform).values()) - before
        return Figures(spent * 1000 / max(1, found.requests), found.p50, found.p99, found.wrong, found.failed)

    return measure


async def _compare(name: str, measured: Sequence[Measure], seconds: int, rounds: int) -> bool:
    """Measures both in turn; prints the medians and their ratios."""
    found = [[await measure(seconds) for measure in measured] for _ in range(rounds)]
    small, large = ([pair[which] for pair in found] for which in (0, 1))
    row, good = f"{name:<24}", True
    for figure in ("cpu", "p50", "p99"):
        one, other = (median(getattr(each, figure) for each in of) for of in (small, large))
        ratio = other / max(one, 1e-9)
        good = good and ratio <= ALLOWED
        row += f"{one:>9.2f}{other:>9.2f}{ratio:>7.2f}"
    wrong, failed = (sum(getattr(each, what) for each in (*small, *large)) for what in ("wrong", "failed"))
    print(f"{row}{wrong:>7}{failed:>7}", flush=True)
    return good and not wrong and not failed
