"""The history of a database's schema: a folder of Alembic revisions for each service.

`migrate` brings a database to the newest revision; an advisory lock makes the second of two simultaneous runs wait and
then find nothing left to do. Apart from database.py because a process that only serves need not load Alembic, which
takes as long as all the rest of it.
"""

import asyncio
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.database import connect_options, normalised, unavailable_when_it_is
from services.errors import UnavailableError

# Seconds that `migrate` waits for the database to answer, and for another run to finish.
MIGRATION_WAIT: Final = 60.0
# Seconds that one migration may take. Those over large tables are written in batches instead.
MIGRATION_SECONDS: Final = 600.0
# Any fixed number will do, as long as nothing else in the database locks it.
MIGRATION_LOCK: Final = 0x6D69_6772_6174_6500


def migrate(url: str, migrations: Path, metadata: MetaData) -> None:
    """Brings the database to the newest revision in `migrations`; running it again or twice at once is harmless.

    Waits up to a minute each for the database to answer and for another run to end, then raises UnavailableError; so
    it does when a table that it changes stays in use. Not to be called from a running event loop.
    """
    asyncio.run(_with_connection(url, lambda connection: _upgrade(connection, migrations, metadata)))


def pending_changes(url: str, migrations: Path, metadata: MetaData, tables: Collection[str] | None = None) -> list[Any]:
    """Answers in what way the database, brought to the newest revision, differs from the models: nothing, hopefully.

    `tables` limits the comparison to those names, for a process that knows the models of several services. Not to be
    called from a running event loop.
    """
    differences: list[Any] = []

    def compare(connection: Connection) -> None:
        _upgrade(connection, migrations, metadata)
        options: dict[str, Any] = {"compare_type": True, "compare_server_default": True}
        if tables is not None:
            options["include_name"] = lambda name, kind, _parents: kind != "table" or name in tables
            options["include_object"] = lambda _object, name, kind, *_: kind != "table" or name in tables
        differences.extend(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    asyncio.run(_with_connection(url, compare))
    return differences


def run_migrations(metadata: MetaData) -> None:
    """Runs the revisions that are due; this is all that the `env.py` of a migrations folder calls."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("Run `python -m services.<name> migrate`: the alembic command knows no database here.")
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def _with_connection(url: str, work: Any) -> None:
    options = connect_options(MIGRATION_SECONDS, "migrate")
    engine = create_async_engine(normalised(url), poolclass=NullPool, connect_args=options)
    connection = await _connected(engine)
    try:
        with unavailable_when_it_is():
            await connection.run_sync(work)
    finally:
        await connection.close()


async def _connected(engine: AsyncEngine) -> AsyncConnection:
    """Answers a connection, waiting for a server that is still starting."""
    deadline = time.monotonic() + MIGRATION_WAIT
    while True:
        try:
            with unavailable_when_it_is():
                return await engine.connect()
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


def _upgrade(connection: Connection, migrations: Path, metadata: MetaData) -> None:
    # A session's lock: it is gone when the connection is, however this process ends.
    connection.execute(text(f"SET lock_timeout = '{MIGRATION_WAIT:.0f}s'"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    # A change of a table that is in use waits no longer than this for it: everyone else queues up behind it.
    connection.execute(text("SET lock_timeout = '5s'"))
    connection.commit()
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=metadata)
    command.upgrade(config, "head")
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
