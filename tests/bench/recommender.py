"""`python -m tests.bench recommender`: training and serving at the stated size, with real processes on real tables.

What a request costs is told twice: by the client, and inside the service by the service's own histogram, which begins
when the request is understood and ends before the reply is written. Every request is the first page of an
account that was not asked for before, so that no kept list answers it.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, Final

import httpx
import numpy as np

from local.platform import Platform
from local.service_process import ServiceProcess
from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.recommender import v1 as recommender_v1
from services import rpc
from services.errors import EcommerceError
from tests.bench import histogram
from tests.bench.memory import Peak
from tests.bench.shop import Shop
from tests.bench.shop_loading import Tables

INSTANCES: Final = ("account", "recommender", "recommender-trainer")
# Closed loops: so many ask, each as soon as it has its answer; what 16 of them wait for is mostly each other.
# Open loops: requests come at so many a second, at random moments, however long answers take, as visitors do.
AT_ONCE: Final = (1, 16)
PER_SECOND: Final = (50, 100)
# Requests under way in an open loop; more than that would say that the rate cannot be kept.
MOST_UNDER_WAY: Final = 500
WARM_UP: Final = 3
TAKE: Final = 20
VIEWED: Final = 5
NEWS: Final = 1_000
# One training when there is news, and none by the clock in the middle of a line.
TRAINING: Final = {"TRAIN_AFTER": str(NEWS), "TRAIN_EVERY": "86400"}
# Seconds for a training; it takes minutes at the stated size.
LONGEST_TRAINING: Final = 1_800
HISTOGRAM: Final = "recommender_ranking_seconds"
HEAD: Final = (
    f"{'operation':<32}{'load':>11}{'rps':>8}{'p50 ms':>8}{'p99 ms':>8}"
    f"{'inside p50':>11}{'p99':>7}{'<=10 ms':>9}{'wrong':>7}{'failed':>7}"
)

Ask = Callable[[int], Awaitable[bool]]


@dataclass(frozen=True)
class Found:
    """One line: seconds of each request that was answered, and how many were wrong or failed."""

    seconds: Sequence[float]
    lasted: float
    wrong: int
    failed: int


class Bench:
    """One shop on one platform."""

    def __init__(self, platform: Platform, shop: Shop, seconds: int) -> None:
        self._shop = shop
        self._seconds = seconds
        self._platform = platform
        self._tables = Tables(platform.environment("recommender")["DATABASE_URL"])
        self._numbers = count(1)

    async def run(self) -> bool:
        """Prints what it finds; answers whether every reply was right and a model was made."""
        server, trainer = self._platform.service("recommender"), self._platform.service("recommender-trainer")
        await self._load(server, trainer)
        peaks = Peak(server.pid), Peak(trainer.pid)
        watching = [asyncio.create_task(peak.watch()) for peak in peaks]
        try:
            good = await self._trained(1) and await self._measured()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        for name, peak in zip(("server", "trainer"), peaks, strict=True):
            peak.look()
            print(f"most memory of the {name}: {peak.own:.0f} MiB (with its children: {peak.tree:.0f} MiB)")
        return good

    async def _load(self, server: ServiceProcess, trainer: ServiceProcess) -> None:
        await trainer.stop()
        await server.stop()
        began = time.monotonic()
        await self._tables.load(self._shop, datetime.now(UTC))
        shop = self._shop
        print(
            f"loaded in {time.monotonic() - began:.0f} s: {shop.products:,} products, {shop.accounts:,} accounts, "
            f"{shop.interactions:,} interactions",
            flush=True,
        )
        await server.start()
        await trainer.start()

    async def _trained(self, version: int) -> bool:
        """Waits for the model of this version and until it is served; prints how it was made."""
        began = time.monotonic()
        await _until(lambda: self._is_made(version))
        made = await self._tables.last_model()
        print(f"model {made['version']} after {time.monotonic() - began:.0f} s: {_shown(made['metrics'])}")
        if made["refusal"]:
            print(f"it was refused: {made['refusal']}")
            return False
        await _until(lambda: self._is_served(version))
        size = await self._tables.size_of_model(made["version"])
        print(f"served after {time.monotonic() - began:.0f} s; {size / 2**20:.0f} MiB in the database", flush=True)
        return True

    async def _is_made(self, version: int) -> bool:
        made = await self._tables.last_model()
        return made is not None and made["version"] >= version

    async def _is_served(self, version: int) -> bool:
        return await self._metric("recommender_model_version") >= version

    async def _measured(self) -> bool:
        ports = self._platform.layout.ports
        async with (
            rpc.Channel(f"127.0.0.1:{ports['account']}") as account,
            rpc.Channel(f"127.0.0.1:{ports['recommender']}") as recommender,
        ):
            login = account_v1.LoginRequest(
                email=self._platform.administrator_email, password=self._platform.administrator_password
            )
            session = (await account.stub(account_v1.AccountServiceStub).login(login)).session
            stub = recommender.stub(recommender_v1.RecommenderServiceStub)
            with rpc.acting_as(session.token if session else None):
                return await self._lines(stub)

    async def _lines(self, stub: recommender_v1.RecommenderServiceStub) -> bool:
        async def for_account(number: int) -> bool:
            request = recommender_v1.GetRecommendationsRequest(account_id=number % self._shop.accounts + 1, take=TAKE)
            return _right(await stub.get_recommendations(request))

        async def for_viewed(number: int) -> bool:
            viewed = [Shop.product_id((number * VIEWED + each) % self._shop.products) for each in range(VIEWED)]
            request = recommender_v1.GetRecommendationsBasedOnViewedRequest(product_ids=viewed, take=TAKE)
            return _right(await stub.get_recommendations_based_on_viewed(request))

        print(HEAD, flush=True)
        good = await self._line("for an account", for_account)
        good = await self._line(f"for a session of {VIEWED} views", for_viewed) and good
        await self._tables.add_news(self._shop, datetime.now(UTC), NEWS, run=1)
        await self._until_training()
        good = await self._line("for an account, while training", for_account) and good
        print(
            "the training ended before the last line did"
            if await self._is_made(2)
            else "the training went on all the time"
        )
        return await self._trained(2) and good

    async def _line(self, name: str, ask: Ask) -> bool:
        good = True
        asking = Asking(ask, self._numbers)
        await asking.at_once(4, WARM_UP)
        closed = [(f"{each} at once", partial(asking.at_once, each)) for each in AT_ONCE]
        opened = [(f"{each}/s", partial(asking.per_second, each)) for each in PER_SECOND]
        for load, run in (*closed, *opened):
            before = await self._buckets()
            found = await run(self._seconds)
            inside = histogram.between(before, await self._buckets())
            good = good and not found.wrong and not found.failed and len(found.seconds) > 0
            print(_row(name, load, found, inside), flush=True)
        return good

    async def _until_training(self) -> None:
        """Waits until the trainer computes, using much of a processor for some seconds on end, or has computed."""
        trainer = Peak(self._platform.service("recommender-trainer").pid)
        async with asyncio.timeout(LONGEST_TRAINING):
            busy = 0
            while busy < 3 and not await self._is_made(2):
                busy = busy + 1 if await trainer.processors(1.0) > 0.5 else 0

    async def _buckets(self) -> dict[float, float]:
        return dict(histogram.buckets(await self._metrics(), HISTOGRAM))

    async def _metric(self, name: str) -> float:
        lines = [line for line in (await self._metrics()).splitlines() if line.startswith(f"{name} ")]
        return float(lines[0].split()[1]) if lines else 0.0

    async def _metrics(self) -> str:
        async with httpx.AsyncClient(timeout=10) as client:
            port = self._platform.layout.ports["recommender-metrics"]
            return (await client.get(f"http://127.0.0.1:{port}/metrics")).text


async def _until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LONGEST_TRAINING):
        while True:
            if await true():
                return
            await asyncio.sleep(0.5)


class Asking:
    """Asks with one number after the other, and keeps what came of it."""

    def __init__(self, ask: Ask, numbers: Iterator[int]) -> None:
        self._ask = ask
        self._numbers = numbers
        self._took: list[float] = []
        self._wrong = self._failed = 0
        self._places = asyncio.Semaphore(MOST_UNDER_WAY)

    async def at_once(self, count: int, seconds: float) -> Found:
        """Asks by so many at once for so long."""
        end = time.monotonic() + seconds

        async def go_on() -> None:
            while time.monotonic() < end:
                await self._one()

        return await self._timed(asyncio.gather(*(go_on() for _ in range(count))))

    async def per_second(self, rate: int, seconds: float) -> Found:
        """Asks so often, at random moments, for so long."""
        dice = random.Random(rate)

        async def arrive() -> None:
            async with asyncio.TaskGroup() as group:
                due = began = time.monotonic()
                while due < began + seconds:
                    due += dice.expovariate(rate)
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    group.create_task(self._bounded())

        return await self._timed(arrive())

    async def _timed(self, work: Awaitable[object]) -> Found:
        self._took, self._wrong, self._failed = [], 0, 0
        began = time.monotonic()
        await work
        return Found(self._took, time.monotonic() - began, self._wrong, self._failed)

    async def _bounded(self) -> None:
        if self._places.locked():
            self._failed += 1
            return
        async with self._places:
            await self._one()

    async def _one(self) -> None:
        start = time.perf_counter()
        try:
            right = await self._ask(next(self._numbers))
        except EcommerceError:
            self._failed += 1
            return
        self._took.append(time.perf_counter() - start)
        self._wrong += not right


def _right(
    reply: recommender_v1.GetRecommendationsResponse | recommender_v1.GetRecommendationsBasedOnViewedResponse,
) -> bool:
    """Tells whether a reply is a full page without doubles, from a model."""
    return reply.model_version > 0 and len({each.product_id for each in reply.recommendations}) == TAKE


def _row(name: str, load: str, found: Found, inside: dict[float, float]) -> str:
    p50, p99 = np.percentile(found.seconds, [50, 99]) * 1000 if found.seconds else (0.0, 0.0)
    within = histogram.share_within(inside, 0.01)
    return (
        f"{name:<32}{load:>11}{len(found.seconds) / found.lasted:>8.0f}{p50:>8.1f}{p99:>8.1f}"
        f"{histogram.quantile(inside, 0.5) * 1000:>11.1f}{histogram.quantile(inside, 0.99) * 1000:>7.1f}{within:>9.2%}"
        f"{found.wrong:>7}{found.failed:>7}"
    )


def _shown(metrics: Any) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(json.loads(metrics).items()))


async def bench(size: float, seconds: int) -> bool:
    """Runs the whole of it on a shop of `size` times the stated one; answers whether every reply was right."""
    async with Platform(instances=INSTANCES, overrides={"recommender-trainer": TRAINING}) as platform:
        return await Bench(platform, Shop().scaled(size), seconds).run()
