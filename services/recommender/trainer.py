"""The process that makes models: it looks for news every few seconds, and trains, places and counts when there is some.

One process of all that are started works, by a lock in the database; the others wait for it. A training runs in a
thread, so that metrics go on; whenever the process is killed, nothing of it is kept, and the next one begins anew. What
became of a training is kept either way: a refused model with the reason, an approved one with its bytes.

Between two models, products that are new find a place in the serving one, and the list of what is popular is made anew.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from services import runtime
from services.errors import UnavailableError
from services.loops import first_of, work_until
from services.recommender.artefact import decode, encode
from services.recommender.dataset import Dataset, Gathering
from services.recommender.domain import ModelRecord, Product
from services.recommender.gate import Rules, Verdict, examine, flaw
from services.recommender.model import Model, UnreadableModelError
from services.recommender.settings import TrainSettings
from services.recommender.store import PostgresRecommender
from services.recommender.store_models import ModelDraft
from services.recommender.text import Places, placed
from services.recommender.training import fit

# Seconds between two looks for news.
TICK: Final = 5.0
# Seconds between two attempts while no model serves: the first is waited for.
FIRST_MODEL: Final = 30.0
POPULAR: Final = 1_000
# Seconds between two countings of what is popular, and how many times as long as one took.
POPULAR_PAUSE: Final = 30.0
POPULAR_SHARE: Final = 10.0
# Products that find a place at once, and interactions that are forgotten at once.
PLACED: Final = 1_000
FORGET: Final = 10_000
FORGET_PAUSE: Final = 60.0
# Clocks of two machines, and events under way.
_MARGIN: Final = timedelta(seconds=60)

trainings = Counter("recommender_trainings_total", "Trainings, by what became of them.", ["outcome"])
training_seconds = Gauge("recommender_training_seconds", "What the last training took, its reading included.")
candidate_ndcg = Gauge("recommender_candidate_ndcg", "nDCG@10 of the last candidate, on what it had not seen.")
popularity_ndcg = Gauge("recommender_popularity_ndcg", "nDCG@10 of what is popular, on the same.")
waiting = Gauge("recommender_waiting_interactions", "Interactions that came after the last training began.")

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training came to; `model` is None for a refused one."""

    verdict: Verdict
    model: Model | None


@dataclass(frozen=True, eq=False)
class Serving:
    """The model that serves, since when products are new to it, and what places them."""

    version: int
    model: Model
    since: datetime
    places: Places | None = None


class TrainerLoop:
    """Keeps the models fresh; `clock` answers the time in UTC."""

    def __init__(self, store: PostgresRecommender, settings: TrainSettings, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._rules = Rules(settings.tolerance, settings.holdout, settings.min_test_accounts)
        self._serving: Serving | None = None
        # When the last training began, and the newest interaction at that time.
        self._attempt_at: datetime | None = None
        self._seq = 0
        self._popular_seq = -1
        self._popular_at = 0.0
        self._forget_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; what is under way then is given up."""
        await work_until(stop, self._work(stop), grace=0)

    async def run_once(self) -> None:
        """Looks for news and does what follows; raises UnavailableError when the database does not answer."""
        news = await self._store.news(self._seq)
        waiting.set(news.interactions)
        if self._is_due(news.interactions):
            await self._train(news.newest_seq)
        await self._count_popular(news.newest_seq)
        await self._place_new()
        await self._forget()

    async def resume(self) -> None:
        """Takes up what an earlier process left: which model serves, and when the last training was."""
        try:
            last = await self._store.last_attempt()
        except UnreadableModelError as error:
            # Another release's; the next training's record takes its place.
            log.warning("The record of the last training cannot be read.", reason=str(error))
            last = None
        # What this process began and did not end, as it lost the database, was no training.
        self._seq = last[1] if last else 0
        self._attempt_at = last[0].made_at if last else None
        self._serving = await self._newest_readable()

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with self._store.training_lock() as lock:
                    if lock:
                        await self.resume()
                    while lock and not stop.is_set():
                        # A database that was restarted meanwhile no longer knows whose it was.
                        await lock.confirm()
                        await self.run_once()
                        await first_of(TICK, stop)
            except UnavailableError as error:
                log.warning("Training waits for the database.", reason=error.message)
            await first_of(TICK, stop)

    def _is_due(self, interactions: int) -> bool:
        if not interactions:
            return False
        if self._attempt_at is None:
            return True
        passed = (self._clock() - self._attempt_at).total_seconds()
        if passed < self._settings.train_pause:
            return False
        every = self._settings.train_every if self._serving else min(FIRST_MODEL, self._settings.train_every)
        return interactions >= self._settings.train_after or passed >= every

    async def _train(self, seq: int) -> None:
        began, unread = time.monotonic(), self._seq
        self._attempt_at, self._seq = self._clock(), seq
        since = self._attempt_at - _MARGIN
        try:
            products, data = await self._read(seq)
            if not len(data):
                # Deeds may arrive before the products that they are about, and are still news then.
                self._seq = unread
                return
            trained = await _in_thread(lambda: self._make(data, products))
            version = await self._save(trained, data, seq, time.monotonic() - began)
        except UnavailableError:
            raise
        except Exception:
            # The next news may be better; until then what serves goes on.
            trainings.labels("failed").inc()
            log.exception("A training failed.")
            return
        if trained.model is not None:
            # The text of a hundred thousand products is let go before it is read again for the next.
            self._serving = Serving(version, trained.model, since)

    async def _read(self, seq: int) -> tuple[list[Product], Dataset]:
        products = [product async for page in self._store.read_products() for product in page]
        gathering = Gathering([product.product_id for product in products])
        if not products:
            return products, gathering.dataset()
        async for page in self._store.read_interactions(seq, self._settings.most_interactions):
            await asyncio.to_thread(gathering.add, page)
        return products, await asyncio.to_thread(gathering.dataset)

    def _make(self, data: Dataset, products: Sequence[Product]) -> Trained:
        serving = self._serving.model if self._serving else None
        threads = self._settings.threads
        verdict = examine(data, self._settings.trials, serving, self._rules, threads)
        if verdict.refusal:
            return Trained(verdict, None)
        model, _ = placed(fit(data, verdict.chosen, threads), products)
        refusal = flaw(model)
        return Trained(replace(verdict, refusal=refusal), None if refusal else model)

    async def _save(self, trained: Trained, data: Dataset, seq: int, seconds: float) -> int:
        verdict = trained.verdict
        metrics = verdict.metrics | {"seconds": seconds}
        draft = ModelDraft(data.data_from, data.data_to, len(data), seq, verdict.chosen, metrics, verdict.refusal)
        artefact = await asyncio.to_thread(encode, trained.model) if trained.model else b""
        version = await self._store.save_model(draft, artefact, self._settings.keep_models)
        trainings.labels("refused" if verdict.refusal else "approved").inc()
        training_seconds.set(seconds)
        candidate_ndcg.set(metrics.get("ndcg", 0.0))
        popularity_ndcg.set(metrics.get("popularity_ndcg", 0.0))
        say = log.warning if verdict.refusal else log.info
        say("A model was made.", version=version, refusal=verdict.refusal, interactions=len(data), **metrics)
        return version

    async def _newest_readable(self) -> Serving | None:
        for version in await self._store.approved():
            try:
                record, artefact = await self._store.load_model(version)
                model = await asyncio.to_thread(decode, artefact)
            except UnreadableModelError as error:
                log.warning("A model cannot be read.", version=version, reason=str(error))
            else:
                return Serving(version, model, _read_from(record))
        return None

    async def _count_popular(self, newest_seq: int) -> None:
        if newest_seq == self._popular_seq or time.monotonic() < self._popular_at:
            return
        began, chosen = time.monotonic(), self._settings
        await self._store.refresh_popular(
            chosen.half_life_days, chosen.view_weight, chosen.purchase_weight, limit=POPULAR
        )
        self._popular_seq = newest_seq
        took = time.monotonic() - began
        self._popular_at = time.monotonic() + max(POPULAR_PAUSE, POPULAR_SHARE * took)

    async def _place_new(self) -> None:
        serving = self._serving
        if serving is None:
            return
        new = await self._store.unplaced(serving.version, serving.since, PLACED)
        if not new:
            return
        model = serving.model
        places = serving.places or await self._places(model)
        self._serving = replace(serving, places=places)
        found = await _in_thread(lambda: places.of(new))
        rows = [model.rows.get(product.product_id) for product in new]
        vectors = [found[at] if row is None else model.item_factors[row] for at, row in enumerate(rows)]
        await self._store.save_placements(
            serving.version,
            [(product.product_id, vector.tobytes()) for product, vector in zip(new, vectors, strict=True)],
        )

    async def _places(self, model: Model) -> Places:
        texts = {product.product_id: product async for page in self._store.read_products() for product in page}
        # A product that was deleted since has no text any more, and is nobody's neighbour.
        at = model.data_to
        gone = (product_id for product_id in model.product_ids if product_id not in texts)
        texts |= {product_id: Product(product_id, "", "", 0, "", 1, at) for product_id in gone}
        products = [texts[product_id] for product_id in model.product_ids]
        return await _in_thread(lambda: Places(model, products))

    async def _forget(self) -> None:
        if time.monotonic() < self._forget_at:
            return
        before = self._clock() - timedelta(days=self._settings.history_days)
        if await self._store.forget(before, FORGET) < FORGET:
            self._forget_at = time.monotonic() + FORGET_PAUSE


def training_loops(
    store: PostgresRecommender, settings: TrainSettings, clock: Callable[[], datetime]
) -> Sequence[runtime.Loop]:
    """Answers the loops of the process that trains."""
    return (TrainerLoop(store, settings, clock),)


def _read_from(record: ModelRecord) -> datetime:
    """Answers since when products may be missing in a model: its reading began about then."""
    return record.made_at - timedelta(seconds=record.metrics.get("seconds", 0.0)) - _MARGIN


async def _in_thread(work: Callable[[], T]) -> T:
    """Does it in a thread that holds up nobody's end: a training takes minutes, and a process told to stop goes."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], what: Any) -> None:
        if not done.done():
            how(what)

    def tell(how: Callable[[Any], None], what: Any) -> None:
        # Nobody waits any more, where the loop is closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, how, what)

    def working() -> None:
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001 whatever it is, it is raised where it is waited for
            tell(done.set_exception, error)
        else:
            tell(done.set_result, found)

    threading.Thread(target=working, name="training", daemon=True).start()
    return await done
