"""A service in miniature, to be killed by a test: it commits events, prints the version of each, and relays them.

python -m tests.integration.outbox_process DATABASE_URL KAFKA_BOOTSTRAP_SERVERS TOPIC COUNT
"""

import asyncio
import sys

from services import outbox
from services.database import Database
from services.publisher import Publisher
from tests.integration.kafka import new_event


async def main(url: str, servers: str, topic: str, count: str) -> None:
    """Runs until it is killed."""
    database = Database(url, application_name="miniature")
    relay = outbox.Relay(database, Publisher(servers, client_id="miniature"))
    relaying = asyncio.create_task(relay.run(asyncio.Event()))
    for version in range(int(count)):
        async with database.transaction() as session:
            await outbox.stage(session, new_event(topic, f"key-{version % 3}", version))
        relay.wake()
        sys.stdout.write(f"{version}\n")
        sys.stdout.flush()
    await relaying


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
