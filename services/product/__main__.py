"""Starts the product service, or one of its commands; nothing else reads the environment.

serve      answers gRPC, publishes the events of what was written and keeps the search index, until it is told to stop
migrate    brings the database to the newest schema, and makes the search index if Elasticsearch can be reached
reindex    builds a new search index from the database and swaps it in while the service goes on
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import structlog
import uuid_utils
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from services import rpc, runtime, telemetry
from services.consumer import Consumer
from services.database import Database
from services.errors import EcommerceError, UnavailableError
from services.events import ensure_topics
from services.keys import account_keys
from services.outbox import Relay
from services.product.events import TOPIC, Announcer
from services.product.index import ElasticsearchIndex, RejectedError
from services.product.indexer import Indexer
from services.product.keeper import Keeper
from services.product.models import ProductRecord
from services.product.rebuild import Rebuild
from services.product.server import ProductServer
from services.product.service import Catalogue
from services.product.settings import DatabaseSettings, IndexSettings, ServeSettings
from services.product.store import PostgresProducts
from services.product.tail import event_tail
from services.publisher import Publisher
from services.tokens import Verifier

S = TypeVar("S", bound=BaseSettings)

GROUP: Final = "product-search-index"
_MIGRATIONS: Final = Path(__file__).with_name("migrations")
# Seconds that `migrate` spends on the index; the running service makes up for what is missed.
_INDEX_SECONDS: Final = 30.0

log = structlog.get_logger(__name__)


def main() -> None:
    """Does what the command line asks for; a fault that its reader can mend is one line, and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m services.product", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve")
    commands.add_parser("migrate")
    reindex = commands.add_parser("reindex")
    reindex.add_argument("--keep-old", action="store_true", help="do not delete the index that was in use before")
    chosen = parser.parse_args()
    try:
        if chosen.command == "reindex":
            _reindex(keep_old=chosen.keep_old)
        else:
            {"serve": _serve, "migrate": _migrate}[chosen.command]()
    except (EcommerceError, RejectedError, OSError) as error:
        raise SystemExit(f"product: {error}") from None


def _serve() -> None:
    settings = _read(ServeSettings)
    telemetry.start("product", _read(telemetry.TelemetrySettings))
    asyncio.run(_serving(settings))


async def _serving(settings: ServeSettings) -> None:
    async with _parts(settings) as parts, _channel(settings) as account:
        catalogue = Catalogue(parts.products, parts.index, currency=settings.currency, clock=_now, ids=_new_id)
        server = rpc.Server(
            rpc.ServerSettings(settings.grpc_host, settings.grpc_port),
            ProductServer(catalogue),
            verifier=Verifier(account_keys(account), settings.token_policy),
            readiness=lambda: _missing(parts.kept),
        )
        loops: list[runtime.Loop] = [parts.relay]
        if settings.indexer_enabled:
            loops += [Keeper(parts.rebuild), Consumer(settings.kafka_bootstrap_servers, GROUP, [TOPIC], parts.indexer)]
        await runtime.serve(server, *loops)


async def _missing(kept: Database) -> list[str]:
    """Without Kafka and Elasticsearch everything but text search goes on; without PostgreSQL nothing does."""
    try:
        await kept.ping()
    except UnavailableError:
        return ["PostgreSQL"]
    return []


def _migrate() -> None:
    # Here and not above: a process that serves need not load Alembic.
    from services import migration  # noqa: PLC0415

    settings = _read(DatabaseSettings)
    _start_telemetry_of_a_command()
    migration.migrate(settings.database_url.get_secret_value(), _MIGRATIONS, ProductRecord.metadata)
    asyncio.run(_making_index(_read(IndexSettings)))


async def _making_index(settings: IndexSettings) -> None:
    async with _parts(settings) as parts:
        try:
            async with asyncio.timeout(_INDEX_SECONDS):
                await Keeper(parts.rebuild).run_once()
        except TimeoutError:
            log.warning("the search index was not finished in time: the running service will make it")


def _reindex(*, keep_old: bool) -> None:
    settings = _read(IndexSettings)
    _start_telemetry_of_a_command()
    asyncio.run(runtime.run(_reindexing(settings, keep_old=keep_old)))


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
        url = settings.database_url.get_secret_value()
        kept = Database(url, pool_size=settings.database_pool_size, application_name="product")
        stack.push_async_callback(kept.close)
        ca_file = str(settings.elasticsearch_ca_file) if settings.elasticsearch_ca_file else None
        index = ElasticsearchIndex(settings.elasticsearch_urls, ca_file=ca_file)
        stack.push_async_callback(index.close)
        relay = Relay(kept, Publisher(settings.kafka_bootstrap_servers, client_id="product"))
        products = PostgresProducts(kept, Announcer(_now, _new_id), relay.wake)
        indexer = Indexer(products, index)
        rebuild = Rebuild(products, index, indexer, lambda: event_tail(settings.kafka_bootstrap_servers, TOPIC))
        yield _Parts(kept, relay, products, index, indexer, rebuild)


@asynccontextmanager
async def _channel(settings: ServeSettings) -> AsyncIterator[rpc.Channel]:
    account = rpc.Channel(settings.account_address)
    try:
        yield account
    finally:
        await account.close()


def _start_telemetry_of_a_command() -> None:
    """Serves no metrics: nobody scrapes what ends soon, and the port may be the running service's."""
    telemetry.start("product", _read(telemetry.TelemetrySettings).model_copy(update={"metrics_port": 0}))


def _read(settings: type[S]) -> S:
    try:
        return settings()
    except ValidationError as error:
        raise SystemExit(f"product: {'; '.join(map(_fault, error.errors()))}") from None


def _fault(error: ErrorDetails) -> str:
    """Answers the variable and what is wrong with it; what concerns several names them itself."""
    message = error["msg"].removeprefix("Value error, ")
    return f"{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid_utils.uuid7())


if __name__ == "__main__":
    main()
