"""Starts the product service, or one of its commands; nothing else reads the environment.

serve      answers gRPC, publishes the events of what was written and keeps the search index, until it is told to stop
migrate    brings the database to the newest schema, and makes the search index if Elasticsearch can be reached
reindex    builds a new search index from the database and swaps it in while the service goes on
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from services import clock, commands, ids, rpc, runtime
from services.consumer import Consumer
from services.database import Database
from services.events import ensure_topics
from services.keys import account_keys
from services.outbox import Relay
from services.product.events import TOPIC, Announcer
from services.product.index import ElasticsearchIndex, RejectedError
from services.product.indexer import Indexer
from services.product.keeper import Keeper
from services.product.models import ProductRecord
from services.product.progress import CommittedOffsets, Progress
from services.product.rebuild import Rebuild
from services.product.server import ProductServer
from services.product.service import Catalogue
from services.product.settings import IndexSettings, ServeSettings
from services.product.store import PostgresProducts
from services.product.tail import event_tail
from services.publisher import Publisher
from services.tokens import Verifier

NAME: Final = "product"
GROUP: Final = "product-search-index"
_MIGRATIONS: Final = Path(__file__).with_name("migrations")
# Seconds that `migrate` spends on the index; the running service makes up for what is missed.
_INDEX_SECONDS: Final = 30.0

log = structlog.get_logger(__name__)


def main() -> None:
    """Does what the command line asks for; a fault that its reader can mend is one line, and exit status 1."""
    commands.main(
        NAME,
        __doc__,
        commands.Command("serve", _serve),
        commands.Command("migrate", _migrate),
        commands.Command("reindex", _reindex, {"keep_old": "do not delete the index that was in use before"}),
        mendable=(RejectedError,),
    )


def _serve() -> None:
    commands.run(NAME, ServeSettings, _serving)


async def _serving(settings: ServeSettings) -> None:
    async with (
        _parts(settings) as parts,
        rpc.Channel(settings.account_address) as account,
        _progress(settings, parts) as progress,
    ):
        catalogue = Catalogue(parts.products, parts.index, currency=settings.currency, clock=clock.now, ids=ids.new_id)
        server = rpc.Server(
            settings.server,
            ProductServer(catalogue, progress),
            verifier=Verifier(account_keys(account), settings.token_policy),
            # Without Kafka and Elasticsearch everything but text search goes on; without PostgreSQL nothing does.
            readiness=partial(parts.kept.missing, _MIGRATIONS),
        )
        loops: list[runtime.Loop] = [parts.relay]
        if settings.indexer_enabled:
            loops += [Keeper(parts.rebuild), Consumer(settings.kafka_bootstrap_servers, GROUP, [TOPIC], parts.indexer)]
        await runtime.serve(server, *loops)


@asynccontextmanager
async def _progress(settings: ServeSettings, parts: "_Parts") -> AsyncIterator[Progress]:
    committed = CommittedOffsets(settings.kafka_bootstrap_servers, GROUP, TOPIC)
    progress = Progress(parts.kept, parts.index, committed)
    try:
        yield progress
    finally:
        await progress.close()
        await committed.close()


def _migrate() -> None:
    settings = runtime.read_settings(IndexSettings, NAME)
    commands.migrate(NAME, settings, _MIGRATIONS, ProductRecord.metadata)
    asyncio.run(_making_index(settings))


async def _making_index(settings: IndexSettings) -> None:
    async with _parts(settings) as parts:
        try:
            async with asyncio.timeout(_INDEX_SECONDS):
                await Keeper(parts.rebuild).run_once()
        except TimeoutError:
            log.warning("the search index was not finished in time: the running service will make it")


def _reindex(*, keep_old: bool) -> None:
    async def work(settings: IndexSettings) -> None:
        await runtime.run(_reindexing(settings, keep_old=keep_old))

    commands.run(NAME, IndexSettings, work, metrics=False)


async def _reindexing(settings: IndexSettings, *, keep_old: bool) -> None:
    async with _parts(settings) as parts:
        await ensure_topics(settings.kafka_bootstrap_servers, [TOPIC])
        done = await parts.rebuild.replace(keep_old=keep_old)
        log.info("the search index is new", index=done.index, rows=done.rows, events=done.events)


@dataclass(frozen=True)
class _Parts:
    """What several commands are made of."""

    kept: Database
    relay: Relay
    products: PostgresProducts
    index: ElasticsearchIndex
    indexer: Indexer
    rebuild: Rebuild


@asynccontextmanager
async def _parts(settings: IndexSettings) -> AsyncIterator[_Parts]:
    async with AsyncExitStack() as stack:
        kept = await stack.enter_async_context(settings.database(NAME))
        ca_file = str(settings.elasticsearch_ca_file) if settings.elasticsearch_ca_file else None
        index = ElasticsearchIndex(settings.elasticsearch_urls, ca_file=ca_file)
        stack.push_async_callback(index.close)
        relay = Relay(kept, Publisher(settings.kafka_bootstrap_servers, client_id=NAME))
        products = PostgresProducts(kept, Announcer(clock.now, ids.new_id), relay.wake)
        indexer = Indexer(products, index)
        rebuild = Rebuild(products, index, indexer, lambda: event_tail(settings.kafka_bootstrap_servers, TOPIC))
        yield _Parts(kept, relay, products, index, indexer, rebuild)


if __name__ == "__main__":
    main()
