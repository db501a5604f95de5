"""PostgreSQL: one bounded pool for each process, errors a caller can act on, and the schema's history.

Reads run without a transaction block (`session`): one statement, one round trip. Writes run in one (`transaction`). A
connection that the server has closed is noticed when it is taken from the pool, which costs nothing because the
socket's end is already known; so a restarted PostgreSQL serves the next request. Whatever says that the database
does not answer now (no connection, none free, a statement cut off by its time limit, a deadlock's victim) leaves both
as UnavailableError. Constraint violations are left to the stores, who know what they mean.

The schema is a folder of Alembic revisions for each service. `migrate` brings a database to the newest one; an
advisory lock makes the second of two simultaneous runs wait and then find nothing left to do.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import structlog
from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, NullPool, event, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from services.errors import UnavailableError

# Seconds to wait for a new connection, and for a free one of the pool.
CONNECT_SECONDS: Final = 5.0
# Seconds after which a server that did not even cut the statement off itself is given up.
GRACE_SECONDS: Final = 1.0
PING_SECONDS: Final = 2.0
# Seconds that `migrate` waits for the database to answer, and for another run to finish.
MIGRATION_WAIT: Final = 60.0
# Seconds that one migration may take. Those over large tables are written in batches instead.
MIGRATION_SECONDS: Final = 600.0
# Any fixed number will do, as long as nothing else in the database locks it.
MIGRATION_LOCK: Final = 0x6D69_6772_6174_6500
# Classes and codes of SQLSTATE (PostgreSQL manual, appendix A) under which the same request may pass later: connection,
# transaction rollback, resources, operator intervention and time limits, system errors, lock not available, and the
# read-only standby that one is connected to for a moment during a failover.
_TRANSIENT: Final = ("08", "40", "53", "57", "58", "55P03", "25006")

log = structlog.get_logger(__name__)


class Database:
    """A pool of at most `pool_size` connections to the database at `url`; connects when first used.

    `statement_timeout` is in seconds. `application_name` is what pg_stat_activity shows.
    """

    def __init__(
        self, url: str, *, pool_size: int = 10, statement_timeout: float = 5.0, application_name: str = "ecommerce"
    ) -> None:
        self._url = normalised(url)
        self._options = _connect_options(statement_timeout, application_name)
        self._engine = create_async_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=CONNECT_SECONDS,
            # The connection used last is used next, so that those which a burst opened fall idle and can be recycled.
            pool_use_lifo=True,
            pool_recycle=1800,
            # Values stay out of errors, and so out of logs: e-mails and hashes are among them.
            hide_parameters=True,
            connect_args=self._options,
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Answers a session to read with; every statement sees what is committed when it starts.

        Raises UnavailableError when the database does not answer.
        """
        with _unavailable_when_it_is():
            async with AsyncSession(self._reading, expire_on_commit=False) as session:
                yield session

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Answers a session whose changes are committed at the end of the block, or undone if it raises.

        Raises UnavailableError when the database does not answer; if that happens during the commit, the change may
        have been made. Raises sqlalchemy.exc.IntegrityError for what a constraint refuses.
        """
        with _unavailable_when_it_is():
            async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
                yield session

    @contextlib.asynccontextmanager
    async def dedicated(self) -> AsyncIterator[AsyncConnection]:
        """Answers a connection outside of the pool, each statement its own transaction: for locks of a session.

        Its TCP keep-alive makes the server forget a client whose host has vanished, and with it the locks it held,
        within half a minute. Raises UnavailableError when the database does not answer.
        """
        settings = {
            **self._options["server_settings"],
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        }
        options = {**self._options, "server_settings": settings}
        engine = create_async_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        with _unavailable_when_it_is():
            async with engine.connect() as connection:
                yield connection

    async def ping(self) -> None:
        """Raises UnavailableError unless the database answers within two seconds."""
        with _unavailable_when_it_is():
            async with asyncio.timeout(PING_SECONDS), self._reading.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Closes every connection."""
        await self._engine.dispose()


def normalised(url: str) -> URL:
    """Answers the URL with the asyncpg driver in it; raises ValueError when it is not one of PostgreSQL."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise ValueError("The database URL is not a URL of the form postgresql://user:password@host:port/db.") from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(f"The database URL must begin with postgresql://, not with {parsed.drivername}://.")
    return parsed.set(drivername="postgresql+asyncpg")


def _connect_options(statement_timeout: float, application_name: str) -> dict[str, Any]:
    milliseconds = str(int(statement_timeout * 1000))
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": statement_timeout + GRACE_SECONDS,
        "server_settings": {
            "application_name": application_name,
            "statement_timeout": milliseconds,
            # A transaction that waits for something else than the database holds locks that others wait for.
            "idle_in_transaction_session_timeout": str(int(statement_timeout * 6000)),
            # Compiling a plan costs more than any of these short statements takes.
            "jit": "off",
        },
    }


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Makes the pool replace a connection that the server has ended, and every other one of that time."""
    if connection.driver_connection.is_closed():
        raise exc.InvalidatePoolError


@contextlib.contextmanager
def _unavailable_when_it_is() -> Iterator[None]:
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if not _is_transient(error):
            raise
        log.warning("The database does not answer.", error=type(error).__name__, detail=_first_line(error))
        raise UnavailableError("The database does not answer now. Try again later.") from error


def _is_transient(error: BaseException) -> bool:
    if not isinstance(error, exc.DBAPIError):
        # Raised while connecting, where everything is: pool, network, start-up, too many clients; or a time limit.
        return True
    state = getattr(error.orig, "sqlstate", None)
    # Without a SQLSTATE the driver speaks, not the server: the connection ended or was found in use.
    return error.connection_invalidated or state is None or state.startswith(_TRANSIENT)


def _first_line(error: BaseException) -> str:
    """Leaves out the statement and its parameters, which SQLAlchemy prints on the lines after the first."""
    return str(error).partition("\n")[0]


# The schema. ----------------------------------------------------------------------------------------------------------


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
    options = _connect_options(MIGRATION_SECONDS, "migrate")
    engine = create_async_engine(normalised(url), poolclass=NullPool, connect_args=options)
    connection = await _connected(engine)
    try:
        with _unavailable_when_it_is():
            await connection.run_sync(work)
    finally:
        await connection.close()


async def _connected(engine: AsyncEngine) -> AsyncConnection:
    """Answers a connection, waiting for a server that is still starting."""
    deadline = time.monotonic() + MIGRATION_WAIT
    while True:
        try:
            with _unavailable_when_it_is():
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
