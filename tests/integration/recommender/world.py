"""A recommender and its trainer as processes, on a database of their own and on topics that begin with them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx
import stamina
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from local.datastores import Datastores
from local.platform import Platform
from local.service_process import ServiceProcess
from protos.gen.ecommerce.recommender import v1
from services import rpc
from services.database import Database
from services.errors import UnavailableError
from tests.integration.holding import Held, held
from tests.integration.order.conftest import Person, Shop
from tests.integration.recommender.feed import PATIENCE, Feed

ONE_OF_EACH: Final = ("recommender", "recommender-trainer")
# Trainings as soon as there is news, looked for as often as a test wants to wait.
SERVING: Final = {"MODEL_POLL": "0.5"}
# Within a taste these accounts choose by chance: two models of it measure alike only so far, and a test that waits for
# one that may serve is not to wait for luck.
TRAINING: Final = {
    "TRAIN_AFTER": "1",
    "TRAIN_EVERY": "1",
    "TRAIN_PAUSE": "0.5",
    "FACTORS": "8",
    "TOLERANCE": "0.5",
}
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """Recommendations as pairs of product and reason, and the model they come from."""

    items: tuple[tuple[str, v1.Reason], ...]
    version: int

    @property
    def ids(self) -> list[str]:
        """The products, best first."""
        return [product_id for product_id, _ in self.items]

    def why(self, reason: v1.Reason) -> list[str]:
        """The products that are there for one reason, best first."""
        return [product_id for product_id, its in self.items if its is reason]


class World:
    """The processes, their database and topics, and what a test asks of them."""

    def __init__(self, platform: Platform, database: Database, feed: Feed, shop: Shop, root: Person) -> None:
        self.platform = platform
        self.database = database
        self.feed = feed
        self.shop = shop
        self._root = root
        self._channels: dict[str, rpc.Channel] = {}

    @property
    def server(self) -> ServiceProcess:
        """The process that answers."""
        return self.platform.service("recommender")

    @property
    def trainer(self) -> ServiceProcess:
        """The process that trains."""
        return self.platform.service("recommender-trainer")

    async def of(
        self,
        account_id: int,
        *,
        skip: int = 0,
        take: int = 100,
        caller: Person | None = None,
        instance: str = "recommender",
    ) -> Answer:
        """Answers an account's recommendations, asked for by the administrator if by nobody else."""
        request = v1.GetRecommendationsRequest(account_id=account_id, skip=skip, take=take)
        with rpc.acting_as((caller or self._root).token or None):
            return _answer(await self._stub(instance).get_recommendations(request))

    async def after_viewing(
        self, *product_ids: str, skip: int = 0, take: int = 100, instance: str = "recommender"
    ) -> Answer:
        """Answers what a visitor is recommended who has looked at these."""
        request = v1.GetRecommendationsBasedOnViewedRequest(product_ids=list(product_ids), skip=skip, take=take)
        with rpc.acting_as(None):
            return _answer(await self._stub(instance).get_recommendations_based_on_viewed(request))

    async def serves(self, above: int = 0, within: float = PATIENCE, instance: str = "recommender") -> int:
        """Waits until a model of a higher version than this one serves, and answers its version."""

        async def newer() -> int:
            version = (await self.after_viewing(take=1, instance=instance)).version
            return version if version > above else 0

        return await self.eventually(newer, f"a model above version {above} serves", within)

    async def settled(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Waits, with no trainer at work, until the newest model serves and answers stay; gives the answer."""
        ((newest,),) = await self.sql("SELECT max(version) FROM models WHERE refusal = ''")
        await self.serves(above=newest - 1)
        last: list[Answer] = []

        async def again() -> Answer | None:
            last.append(await ask())
            # Longer than the server leaves between two looks at models, and at what changed in the catalogue.
            await asyncio.sleep(1.5)
            return last[-1] if last[-2:-1] == last[-1:] else None

        return await self.eventually(again, "answers stay the same")

    async def same(self, ask: Callable[[], Awaitable[Answer]], wanted: Answer, what: str) -> None:
        """Waits until a question is answered like that."""

        async def look() -> bool:
            return await ask() == wanted

        await self.eventually(look, what)

    async def eventually(self, look: Callable[[], Awaitable[T | None]], what: str, within: float = PATIENCE) -> T:
        """Looks until the answer is true, and gives it; it is another process's doing, and that may be away."""
        seen: object = None
        try:
            async with asyncio.timeout(within):
                while True:
                    try:
                        found = await look()
                    except UnavailableError as error:
                        seen = error
                    else:
                        if found:
                            return found
                        seen = found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not within {within} s: {what} (last seen: {seen!r})") from None

    async def metric(self, name: str, instance: str = "recommender", **labels: str) -> float:
        """Answers the sum of the samples of a metric that have these labels; 0 where there are none."""
        port = self.platform.environment(instance)["METRICS_PORT"]
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            told = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(told)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def sql(self, statement: str, **values: Any) -> Sequence[Any]:
        """Answers rows of the recommender's database."""
        async with self.database.session() as session:
            return (await (await session.connection()).execute(text(statement), values)).all()

    async def change(self, statement: str, **values: Any) -> None:
        """Changes its database behind its back."""
        async with self.database.transaction() as session:
            await (await session.connection()).execute(text(statement), values)

    async def until(self, statement: str, wanted: object, within: float = PATIENCE, **values: Any) -> None:
        """Waits until a statement's single value is this."""

        async def look() -> bool:
            return bool((await self.sql(statement, **values))[0][0] == wanted)

        await self.eventually(look, f"{statement} is {wanted!r}", within)

    async def state(self) -> Mapping[str, Sequence[Any]]:
        """Answers what the intake has made of the topics: both tables but for what counts the writes."""
        return {
            "products": await self.sql(
                "SELECT product_id, name, description, price_minor, currency, version, deleted, added_at FROM products"
                " ORDER BY product_id"
            ),
            "interactions": await self.sql(
                "SELECT event_id, kind, product_id, account_id, quantity, at FROM interactions ORDER BY event_id"
            ),
        }

    async def started(self, instance: str = "recommender") -> None:
        """Starts a server again, and waits until this client reaches it."""
        await self.platform.service(instance).start()
        async for attempt in stamina.retry_context(on=UnavailableError, attempts=None, timeout=30, wait_max=0.2):
            with attempt:
                await self.after_viewing(take=1, instance=instance)

    def held(self, table: str, event: str, when: str = "true") -> AbstractAsyncContextManager[Held]:
        """Makes whoever writes a table so wait inside the transaction, until the block is left."""
        return held(self.database, table, event, when)

    async def close(self) -> None:
        """Closes its connections."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    def _stub(self, instance: str) -> v1.RecommenderServiceStub:
        if instance not in self._channels:
            self._channels[instance] = rpc.Channel(f"127.0.0.1:{self.platform.service(instance).port}", timeout=10)
        return self._channels[instance].stub(v1.RecommenderServiceStub)


@asynccontextmanager
async def open_world(
    datastores: Datastores, shop: Shop, instances: Collection[str] = ONE_OF_EACH
) -> AsyncIterator[World]:
    """Starts recommenders and trainers beside a shop."""
    account = f"127.0.0.1:{shop.platform.service('account').port}"
    given = {name: SERVING | {"ACCOUNT_ADDRESS": account} if "trainer" not in name else TRAINING for name in instances}
    async with AsyncExitStack() as stack:
        feed = Feed(datastores.kafka.bootstrap_servers)
        stack.push_async_callback(feed.close)
        await feed.open()
        platform = await stack.enter_async_context(
            Platform(instances=instances, overrides=given, datastores=datastores)
        )
        url = platform.environment("recommender")["DATABASE_URL"]
        database = await stack.enter_async_context(Database(url, pool_size=3, application_name="recommender-test"))
        world = World(platform, database, feed, shop, await shop.administrator())
        stack.push_async_callback(world.close)
        yield world


def _answer(
    response: v1.GetRecommendationsResponse | v1.GetRecommendationsBasedOnViewedResponse,
) -> Answer:
    items = tuple((each.product_id, each.reason) for each in response.recommendations)
    return Answer(items, response.model_version)
