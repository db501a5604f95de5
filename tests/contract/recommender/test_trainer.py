"""The trainer on the real store: when it trains, what it keeps, and what it does between two models."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from services.database import Database
from services.recommender.artefact import decode
from services.recommender.domain import Interaction, Kind
from services.recommender.model import Model
from services.recommender.settings import TrainSettings
from services.recommender.store import PostgresRecommender
from services.recommender.trainer import TrainerLoop
from tests.factories.recommender import product
from tests.unit.recommender.shops import START, deeds, products

SHOP = TrainSettings(
    database_url="postgresql://not/used",
    factors=8,
    regularization="0.1",
    iterations=5,
    train_after=100,
    train_every=300,
    train_threads=1,
    history_days=3650,
)


@dataclass
class Clock:
    """Goes on when it is told to; begins about where the database's clock is, by which products arrive."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trainer(store: PostgresRecommender, clock: Clock) -> TrainerLoop:
    return TrainerLoop(store, SHOP, clock)


@pytest.fixture(autouse=True)
async def catalogue(store: PostgresRecommender) -> None:
    words = {"camping": "A tent for camping", "kitchen": "A pan for the kitchen"}
    await store.put_products([product(name, name=words[name.partition("-")[0]]) for name in products()])


def interactions(accounts: int = 40, each: int = 8, seed: int = 1, first: int = 0) -> Sequence[Interaction]:
    """Those of a shop of two tastes; `first` is where the accounts' numbers begin."""
    return [
        Interaction(f"{seed}-{first}-{number}", Kind.VIEW, row[1], row[0] + first, 1, row[4])
        for number, row in enumerate(deeds(accounts, each, seed=seed))
    ]


def later() -> Sequence[Interaction]:
    """What the same accounts do a month after, with everything of their taste."""
    return [
        Interaction(f"later-{one.event_id}", one.kind, one.product_id, one.account_id, 1, one.at + timedelta(days=30))
        for one in interactions(each=12, seed=5)
    ]


async def newest(store: PostgresRecommender) -> Model:
    _, artefact = await store.load_model((await store.approved())[0])
    return decode(artefact)


async def attempts(database: Database) -> list[str]:
    async with database.session() as session:
        rows = await (await session.connection()).execute(text("SELECT refusal FROM models ORDER BY version"))
        return [row.refusal for row in rows]


async def test_no_news_no_model(store: PostgresRecommender, trainer: TrainerLoop) -> None:
    """A shop in which nothing has happened has none, and nothing is said to have been tried."""
    await trainer.run_once()
    assert await store.last_attempt() is None


async def test_the_first_model(store: PostgresRecommender, trainer: TrainerLoop) -> None:
    """Made of everything, with what was measured; what is popular is there with it."""
    await store.add_interactions(interactions())
    await trainer.run_once()
    last = await store.last_attempt()
    assert last is not None
    record, seq = last
    assert (record.refusal, record.interactions, seq) == ("", 320, (await store.news(0)).newest_seq)
    assert record.data_from == START
    assert record.metrics["ndcg"] > record.metrics["popularity_ndcg"]
    model = await newest(store)
    assert set(model.product_ids) == set(products())
    assert model.data_to == record.data_to
    assert set(await store.popular()) == set(products())


async def test_deeds_that_came_before_their_products(
    store: PostgresRecommender, recommender_database: Database, trainer: TrainerLoop, clock: Clock
) -> None:
    """Nothing is made of them, and they are news once there is a product that they are about."""
    async with recommender_database.transaction() as session:
        await (await session.connection()).execute(text("TRUNCATE products"))
    await store.add_interactions(interactions())
    await trainer.run_once()
    assert await attempts(recommender_database) == []
    await store.put_products([product(name) for name in products()])
    clock.forward(31)
    await trainer.run_once()
    assert await attempts(recommender_database) == [""]


async def test_a_record_of_another_release(
    store: PostgresRecommender, recommender_database: Database, trainer: TrainerLoop, clock: Clock
) -> None:
    """Hyperparameters that are not known stop nobody: a model is made, and its record is read from then on."""
    await store.add_interactions(interactions())
    await trainer.run_once()
    spoil = """UPDATE models SET hyperparameters = hyperparameters || '{"unheard_of": 1}'"""
    async with recommender_database.transaction() as session:
        await (await session.connection()).execute(text(spoil))
    another = TrainerLoop(store, SHOP, clock)
    await another.resume()
    await another.run_once()
    assert await attempts(recommender_database) == ["", ""]
    assert (await newest(store)).item_factors.shape == (24, 8)
    await another.resume()


async def test_when_it_is_time(
    store: PostgresRecommender, recommender_database: Database, trainer: TrainerLoop, clock: Clock
) -> None:
    """After so much news, or after so long with any, and never without."""
    await store.add_interactions(interactions())
    await trainer.run_once()
    clock.forward(299)
    await store.add_interactions(interactions(1, 4, first=100))
    await trainer.run_once()
    assert len(await attempts(recommender_database)) == 1
    clock.forward(2)
    await trainer.run_once()
    assert len(await attempts(recommender_database)) == 2
    clock.forward(9)
    await store.add_interactions(interactions(20, 8, first=200))
    await trainer.run_once()
    assert len(await attempts(recommender_database)) == 2, "not so soon after the last one"
    clock.forward(2)
    await trainer.run_once()
    assert len(await attempts(recommender_database)) == 3
    clock.forward(10_000)
    await trainer.run_once()
    assert len(await attempts(recommender_database)) == 3, "there was no news"


async def test_what_is_not_proven(
    store: PostgresRecommender, recommender_database: Database, trainer: TrainerLoop, clock: Clock
) -> None:
    """It is kept with its reason and without bytes; with more news it is tried again, and soon."""
    await store.add_interactions(interactions(2, 3))
    await trainer.run_once()
    assert [refusal.partition(":")[0] for refusal in await attempts(recommender_database)] == ["Nothing is proven"]
    assert await store.approved() == []
    clock.forward(31)
    await store.add_interactions(interactions(first=100))
    await trainer.run_once()
    assert len(await store.approved()) == 1


async def test_a_worse_candidate_does_not_serve(
    store: PostgresRecommender, recommender_database: Database, trainer: TrainerLoop, clock: Clock
) -> None:
    """Settings that spoil the model are found out by what the one before knew, which goes on."""
    await store.add_interactions(interactions())
    await trainer.run_once()
    spoilt = SHOP.model_copy(update={"regularization": "10", "factors": 2})
    another = TrainerLoop(store, spoilt, clock)
    await another.resume()
    await store.add_interactions(later())
    clock.forward(301)
    await another.run_once()
    first, second = await attempts(recommender_database)
    assert first == ""
    assert "worse" in second
    assert (await newest(store)).hyperparameters.factors == 8


async def test_a_process_takes_up_where_one_ended(
    store: PostgresRecommender, recommender_database: Database, trainer: TrainerLoop, clock: Clock
) -> None:
    """It does not train again what was trained, and compares with the model that serves."""
    await store.add_interactions(interactions())
    await trainer.run_once()
    clock.forward(10_000)
    another = TrainerLoop(store, SHOP, clock)
    await another.resume()
    await another.run_once()
    assert len(await attempts(recommender_database)) == 1
    await store.add_interactions(later())
    await another.run_once()
    last = await store.last_attempt()
    assert last is not None
    assert last[0].metrics["against_serving_accounts"] >= 20


async def test_new_products_find_a_place(store: PostgresRecommender, trainer: TrainerLoop) -> None:
    """By their words, at the next look; a product of the model keeps its own place."""
    await store.add_interactions(interactions())
    await trainer.run_once()
    await store.put_products(
        [product("new", name="Another tent for camping"), product("odd", name="zzyzx", description="")]
    )
    await trainer.run_once()
    version = (await store.approved())[0]
    placed = {name: np.frombuffer(vector, np.float32) for name, vector in await store.placements(version, "")}
    model = await newest(store)
    best = model.product_ids[int(np.argmax(model.item_factors @ placed["new"]))]
    assert best.startswith("camping")
    assert not placed["odd"].any()
    assert all(
        np.array_equal(placed[name], model.item_factors[model.rows[name]]) for name in products() if name in placed
    )
    before = await store.placements(version, "")
    await trainer.run_once()
    assert await store.placements(version, "") == before


async def test_what_fails_is_not_tried_at_once(
    store: PostgresRecommender, recommender_database: Database, trainer: TrainerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault in the training leaves nothing, ends nothing, and waits for its time."""
    tried: list[None] = []

    def fails(*_: object) -> None:
        tried.append(None)
        raise MemoryError

    monkeypatch.setattr("services.recommender.trainer.examine", fails)
    await store.add_interactions(interactions())
    await trainer.run_once()
    await trainer.run_once()
    assert len(tried) == 1
    assert await attempts(recommender_database) == []
    assert len(await store.popular()) == 24


async def test_it_ends_when_it_is_told_to(
    store: PostgresRecommender, trainer: TrainerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a training, which nobody waits for."""
    begun, end = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    ending = asyncio.run_coroutine_threadsafe

    def hangs(*_: object) -> None:
        loop.call_soon_threadsafe(begun.set)
        ending(end.wait(), loop).result(30)

    monkeypatch.setattr("services.recommender.trainer.examine", hangs)
    await store.add_interactions(interactions())
    stop = asyncio.Event()
    running = asyncio.create_task(trainer.run(stop))
    await begun.wait()
    stop.set()
    await asyncio.wait_for(running, 5)
    end.set()
    async with store.training_lock() as free:
        assert free
