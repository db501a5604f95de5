"""Starts the recommender, or one of its commands; nothing else reads the environment.

serve      takes in what happens in the shop and answers gRPC, until it is told to stop
train      makes the models, until it is told to stop; of several such processes one works and the others wait
migrate    brings the database to the newest schema
"""

import gc
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from threadpoolctl import threadpool_limits

from services import clock, commands, rpc, runtime
from services.consumer import Consumer
from services.database import Database, DatabaseSettings
from services.keys import account_keys
from services.recommender.following import CatalogueLoop, ModelLoop
from services.recommender.histories import Histories
from services.recommender.models import metadata
from services.recommender.reactions import InteractionReactions, ProductReactions
from services.recommender.server import RecommenderServer
from services.recommender.service import RecommenderService
from services.recommender.settings import ServeSettings, TrainSettings
from services.recommender.shelf import Stock
from services.recommender.store import PostgresRecommender
from services.recommender.workers import Workers
from services.tokens import Verifier

NAME: Final = "recommender"
TRAINER: Final = "recommender-trainer"
_MIGRATIONS: Final = Path(__file__).with_name("migrations")
# Seconds that a thread computes on while another waits for the interpreter; Python's 5 ms are half of an answer's time.
_SWITCH_SECONDS: Final = 0.0005


def main() -> None:
    """Does what the command line asks for; a fault that its reader can mend is one line, and exit status 1."""
    commands.main(
        NAME,
        __doc__,
        commands.Command("serve", _serve),
        commands.Command("train", _train),
        commands.Command("migrate", _migrate),
    )


def _serve() -> None:
    commands.run(NAME, ServeSettings, _serving)


async def _serving(settings: ServeSettings) -> None:
    _hurry()
    async with settings.database(NAME) as kept, rpc.Channel(settings.account_address) as account:
        store = PostgresRecommender(kept, clock.now)
        stock = Stock()
        catalogue = CatalogueLoop(store, stock, time.monotonic)
        models = ModelLoop(store, stock, clock.now, time.monotonic, settings.model_poll)
        with closing(Workers()) as workers:
            service = RecommenderService(stock, Histories(store, time.monotonic), workers, clock.now)
            server = rpc.Server(
                settings.server,
                RecommenderServer(service),
                verifier=Verifier(account_keys(account), settings.token_policy),
                readiness=partial(_missing, kept, catalogue, models),
            )
            await runtime.serve(server, catalogue, models, *_consumers(settings, store))


def _hurry() -> None:
    """Leaves nothing of Python's own between an answer and its few milliseconds."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Several answers at once, each on one thread, instead of one on all processors.
    threadpool_limits(1)
    # What was imported stays: no collection goes through its 100,000 objects again.
    gc.collect()
    gc.freeze()
    # Remembered histories are hundreds of thousands of objects and no cycles: going through all of them takes 100 ms,
    # and by Python's own measure would happen every few seconds.
    gc.set_threshold(700, 10, 1000)


async def _missing(kept: Database, catalogue: CatalogueLoop, models: ModelLoop) -> list[str]:
    """Answers what is missing to answer; nothing ever after both loops have seen the database once."""
    if catalogue.is_loaded and models.is_loaded:
        return []
    return await kept.missing(_MIGRATIONS) or ["catalogue" if not catalogue.is_loaded else "model"]


def _consumers(settings: ServeSettings, store: PostgresRecommender) -> Sequence[runtime.Loop]:
    kafka = settings.kafka_bootstrap_servers
    interactions = InteractionReactions(store, clock.now, timedelta(days=settings.history_days))
    return (
        Consumer(kafka, "recommender-products", ["product_events"], ProductReactions(store)),
        Consumer(kafka, "recommender-interactions", ["interaction_events"], interactions),
    )


def _train() -> None:
    commands.run(TRAINER, TrainSettings, _training)


async def _training(settings: TrainSettings) -> None:
    # Here and not above: a process that serves loads neither pandas nor implicit.
    from services.recommender.trainer import training_loops  # noqa: PLC0415

    async with settings.database(TRAINER) as kept:
        await runtime.work(*training_loops(PostgresRecommender(kept, clock.now), settings, clock.now))


def _migrate() -> None:
    commands.migrate(NAME, runtime.read_settings(DatabaseSettings, NAME), _MIGRATIONS, metadata)


if __name__ == "__main__":
    main()
