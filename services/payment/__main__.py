"""Starts the payment service, or one of its commands; nothing else reads the environment.

serve      answers gRPC and webhooks, and does what follows from what was paid, until it is told to stop
migrate    brings the database to the newest schema
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from services import clock, commands, ids, rpc, runtime
from services.consumer import Consumer
from services.database import DatabaseSettings
from services.keys import account_keys
from services.payment.listings import ListingLoop
from services.payment.measures import BacklogLoop, MeasuredProvider
from services.payment.models import OrderPaymentRecord
from services.payment.orders import OrderClient
from services.payment.reactions import OrderReactions, ProductReactions
from services.payment.reconciliation import ReconciliationLoop
from services.payment.refunds import RefundLoop
from services.payment.server import PaymentServer
from services.payment.service import PaymentService
from services.payment.settings import ServeSettings
from services.payment.store import PostgresPayments
from services.payment.updates import UpdateLoop
from services.payment.web import create_app
from services.payment.webhook import Webhooks
from services.payment.wiring import choose
from services.service_identity import ServiceToken
from services.serving import Drain, HttpServer, HttpSettings
from services.tokens import Verifier

NAME: Final = "payment"
_MIGRATIONS: Final = Path(__file__).with_name("migrations")


def main() -> None:
    """Does what the command line asks for; a fault that its reader can mend is one line, and exit status 1."""
    commands.main(NAME, __doc__, commands.Command("serve", _serve), commands.Command("migrate", _migrate))


def _serve() -> None:
    commands.run(NAME, ServeSettings, _serving)


async def _serving(settings: ServeSettings) -> None:
    async with (
        settings.database(NAME) as kept,
        rpc.Channel(settings.account_address) as account,
        rpc.Channel(settings.order_address) as order,
    ):
        bell = _Bell()
        store = PostgresPayments(kept, settings.payment_provider, clock.now, ids.new_id, bell.ring)
        chosen = choose(settings, kept, clock.now, ids.new_id)
        provider = MeasuredProvider(chosen.provider)
        orders = OrderClient(order, ServiceToken(account, NAME, settings.service_secret.get_secret_value()))
        lifetime = timedelta(seconds=settings.checkout_lifetime)
        service = PaymentService(store, provider, orders, settings.rules, clock.now, lifetime)
        # Without Kafka and the order service webhooks are still taken; without PostgreSQL nothing goes on.
        missing = partial(kept.missing, _MIGRATIONS)
        server = rpc.Server(
            settings.server,
            PaymentServer(service),
            verifier=Verifier(account_keys(account), settings.token_policy),
            readiness=missing,
        )
        drain = Drain()
        app = create_app(Webhooks(provider, service, clock.now), chosen.pages, missing=missing, drain=drain)
        listening = HttpSettings(settings.http_host, settings.http_port, leave_seconds=settings.leave_seconds)
        http = HttpServer(app, listening, drain)
        working = (UpdateLoop(store, orders), RefundLoop(store, provider), ListingLoop(store, provider))
        bell.wakes += [loop.wake for loop in working]
        try:
            await runtime.serve(
                runtime.Together(server, http),
                *working,
                ReconciliationLoop(store, provider, clock.now, timedelta(seconds=settings.reconcile_after)),
                BacklogLoop(store, clock.now),
                *_consumers(settings, store),
                *chosen.loops,
            )
        finally:
            await chosen.close()


class _Bell:
    """Wakes the loops after a commit that left them work; made before them, as the store that rings it is."""

    def __init__(self) -> None:
        self.wakes: list[Callable[[], None]] = []

    def ring(self) -> None:
        for wake in self.wakes:
            wake()


def _consumers(settings: ServeSettings, store: PostgresPayments) -> Sequence[runtime.Loop]:
    kafka = settings.kafka_bootstrap_servers
    return (
        Consumer(kafka, "payment-products", ["product_events"], ProductReactions(store)),
        Consumer(kafka, "payment-orders", ["order_events"], OrderReactions(store)),
    )


def _migrate() -> None:
    commands.migrate(NAME, runtime.read_settings(DatabaseSettings, NAME), _MIGRATIONS, OrderPaymentRecord.metadata)


if __name__ == "__main__":
    main()
