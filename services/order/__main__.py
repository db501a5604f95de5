"""Starts the order service, or one of its commands; nothing else reads the environment.

serve      answers gRPC and publishes the events of what was written, until it is told to stop
migrate    brings the database to the newest schema
"""

import argparse
import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import uuid_utils

from services import rpc, runtime, telemetry
from services.database import DatabaseSettings
from services.errors import EcommerceError
from services.keys import account_keys
from services.order.catalogue import ProductCatalogue
from services.order.events import Announcer
from services.order.models import OrderRecord
from services.order.server import OrderServer
from services.order.service import OrderService
from services.order.settings import ServeSettings
from services.order.store import PostgresStore
from services.outbox import Relay
from services.publisher import Publisher
from services.tokens import Verifier

NAME: Final = "order"
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
        raise SystemExit(f"{NAME}: {error}") from None


def _serve() -> None:
    settings = runtime.read_settings(ServeSettings, NAME)
    telemetry.start(NAME, runtime.read_settings(telemetry.TelemetrySettings, NAME))
    asyncio.run(_serving(settings))


async def _serving(settings: ServeSettings) -> None:
    async with (
        settings.database(NAME) as kept,
        rpc.Channel(settings.account_address) as account,
        rpc.Channel(settings.product_address) as product,
    ):
        relay = Relay(kept, Publisher(settings.kafka_bootstrap_servers, client_id=NAME))
        store = PostgresStore(kept, Announcer(_new_id), _now, relay.wake)
        server = rpc.Server(
            settings.server,
            OrderServer(OrderService(store, ProductCatalogue(product))),
            verifier=Verifier(account_keys(account), settings.token_policy),
            # Without product, orders are still shown; without Kafka, still taken; without PostgreSQL, neither.
            readiness=partial(kept.missing, _MIGRATIONS),
        )
        await runtime.serve(server, relay)


def _migrate() -> None:
    # Here and not above: a process that serves need not load Alembic.
    from services import migration  # noqa: PLC0415

    settings = runtime.read_settings(DatabaseSettings, NAME)
    telemetry.start(NAME, runtime.read_settings(telemetry.TelemetrySettings, NAME), metrics=False)
    migration.migrate(settings.database_url.get_secret_value(), _MIGRATIONS, OrderRecord.metadata)


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid_utils.uuid7())


if __name__ == "__main__":
    main()
