"""Starts the order service, or one of its commands; nothing else reads the environment.

serve      answers gRPC and publishes the events of what was written, until it is told to stop
migrate    brings the database to the newest schema
"""

from functools import partial
from pathlib import Path
from typing import Final

from services import clock, commands, ids, rpc, runtime
from services.database import DatabaseSettings
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
    commands.main(NAME, __doc__, commands.Command("serve", _serve), commands.Command("migrate", _migrate))


def _serve() -> None:
    commands.run(NAME, ServeSettings, _serving)


async def _serving(settings: ServeSettings) -> None:
    async with (
        settings.database(NAME) as kept,
        rpc.Channel(settings.account_address) as account,
        rpc.Channel(settings.product_address) as product,
    ):
        relay = Relay(kept, Publisher(settings.kafka_bootstrap_servers, client_id=NAME))
        store = PostgresStore(kept, Announcer(ids.new_id), clock.now, relay.wake)
        server = rpc.Server(
            settings.server,
            OrderServer(OrderService(store, ProductCatalogue(product))),
            verifier=Verifier(account_keys(account), settings.token_policy),
            # Without product, orders are still shown; without Kafka, still taken; without PostgreSQL, neither.
            readiness=partial(kept.missing, _MIGRATIONS),
        )
        await runtime.serve(server, relay)


def _migrate() -> None:
    commands.migrate(NAME, runtime.read_settings(DatabaseSettings, NAME), _MIGRATIONS, OrderRecord.metadata)


if __name__ == "__main__":
    main()
