"""Starts the payment service, or one of its commands; nothing else reads the environment.

serve      answers gRPC and webhooks, and does what follows from what was paid, until it is told to stop
migrate    brings the database to the newest schema
"""

import argparse
import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, cast

import uuid_utils

from services import rpc, runtime, telemetry
from services.database import DatabaseSettings
from services.errors import EcommerceError
from services.keys import account_keys
from services.payment.models import OrderPaymentRecord
from services.payment.orders import OrderClient
from services.payment.provider import Provider
from services.payment.rules import Rules
from services.payment.server import PaymentServer
from services.payment.service import PaymentService
from services.payment.settings import ServeSettings
from services.payment.store import PostgresPayments
from services.service_identity import ServiceToken
from services.tokens import Verifier

NAME: Final = "payment"
_MIGRATIONS: Final = Path(__file__).with_name("migrations")


def main() -> None:
    """Does what the command line asks for; a fault that its reader can mend is one line, and exit status 1."""
    commands: dict[str, Callable[[], None]] = {"serve": _serve, "migrate": _migrate}
    parser = argparse.ArgumentParser(prog="python -m services.payment", description=__doc__)
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
        rpc.Channel(settings.order_address) as order,
    ):
        secret = settings.service_secret.get_secret_value()
        orders = OrderClient(order, ServiceToken(account, NAME, secret))
        store = PostgresPayments(kept, settings.payment_provider, _now, _new_id, lambda: None)
        rules = Rules(settings.allowed_hosts, settings.public_url, own_pages=settings.payment_provider == "sandbox")
        provider = cast("Provider", None)
        lifetime = timedelta(seconds=settings.checkout_lifetime)
        service = PaymentService(store, provider, orders, rules, _now, lifetime)
        server = rpc.Server(
            settings.server,
            PaymentServer(service),
            verifier=Verifier(account_keys(account), settings.token_policy),
            readiness=partial(kept.missing, _MIGRATIONS),
        )
        await runtime.serve(server)


def _migrate() -> None:
    # Here and not above: a process that serves need not load Alembic.
    from services import migration  # noqa: PLC0415

    settings = runtime.read_settings(DatabaseSettings, NAME)
    telemetry.start(NAME, runtime.read_settings(telemetry.TelemetrySettings, NAME), metrics=False)
    migration.migrate(settings.database_url.get_secret_value(), _MIGRATIONS, OrderPaymentRecord.metadata)


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid_utils.uuid7())


if __name__ == "__main__":
    main()
