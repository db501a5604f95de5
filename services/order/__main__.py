"""Starts the order service, or one of its commands; nothing else reads the environment.

serve      answers gRPC and publishes the events of what was written, until it is told to stop
migrate    brings the database to the newest schema
"""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import uuid_utils
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from services import rpc, runtime, telemetry
from services.database import Database
from services.errors import EcommerceError, UnavailableError
from services.keys import account_keys
from services.order.catalogue import ProductCatalogue
from services.order.events import Announcer
from services.order.models import OrderRecord
from services.order.server import OrderServer
from services.order.service import OrderService
from services.order.settings import DatabaseSettings, ServeSettings
from services.order.store import PostgresStore
from services.outbox import Relay
from services.publisher import Publisher
from services.tokens import Verifier

S = TypeVar("S", bound=BaseSettings)

_MIGRATIONS: Final = Path(__file__).with_name("migrations")


def main() -> None:
    """Does what the command line asks for; a fault that its reader can mend is one line, and exit status 1."""
    commands: dict[str, Callable[[], None]] = {"serve": _serve, "migrate": _migrate}
    parser = argparse.ArgumentParser(prog="python -m services.order", description=__doc__)
    parser.add_argument("command", choices=commands)
    command = commands[parser.parse_args().command]
    try:
        command()
    except (EcommerceError, OSError) as error:
        raise SystemExit(f"order: {error}") from None


def _serve() -> None:
    settings = _read(ServeSettings)
    telemetry.start("order", _read(telemetry.TelemetrySettings))
    asyncio.run(_serving(settings))


async def _serving(settings: ServeSettings) -> None:
    async with _database(settings) as kept, _channels(settings) as (account, product):
        relay = Relay(kept, Publisher(settings.kafka_bootstrap_servers, client_id="order"))
        store = PostgresStore(kept, Announcer(_new_id), _now, relay.wake)
        server = rpc.Server(
            rpc.ServerSettings(settings.grpc_host, settings.grpc_port),
            OrderServer(OrderService(store, ProductCatalogue(product))),
            verifier=Verifier(account_keys(account), settings.token_policy),
            readiness=lambda: _missing(kept),
        )
        await runtime.serve(server, relay)


async def _missing(kept: Database) -> list[str]:
    """Without product, orders are still shown; without Kafka, they are still taken; without PostgreSQL, neither."""
    try:
        await kept.ping()
    except UnavailableError:
        return ["PostgreSQL"]
    return []


def _migrate() -> None:
    # Here and not above: a process that serves need not load Alembic.
    from services import migration  # noqa: PLC0415

    settings = _read(DatabaseSettings)
    # Serves no metrics: nobody scrapes what ends in a second, and the port may be the running service's.
    telemetry.start("order", _read(telemetry.TelemetrySettings).model_copy(update={"metrics_port": 0}))
    migration.migrate(settings.database_url.get_secret_value(), _MIGRATIONS, OrderRecord.metadata)


@contextlib.asynccontextmanager
async def _database(settings: ServeSettings) -> AsyncIterator[Database]:
    url = settings.database_url.get_secret_value()
    kept = Database(url, pool_size=settings.database_pool_size, application_name="order")
    try:
        yield kept
    finally:
        await kept.close()


@contextlib.asynccontextmanager
async def _channels(settings: ServeSettings) -> AsyncIterator[tuple[rpc.Channel, rpc.Channel]]:
    account, product = rpc.Channel(settings.account_address), rpc.Channel(settings.product_address)
    try:
        yield account, product
    finally:
        await account.close()
        await product.close()


def _read(settings: type[S]) -> S:
    try:
        return settings()
    except ValidationError as error:
        faults = "; ".join(f"{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors())
        raise SystemExit(f"order: {faults}") from None


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid_utils.uuid7())


if __name__ == "__main__":
    main()
