"""PostgreSQL: one bounded pool for each process, and errors a caller can act on.

Reads run without a transaction block: one statement, one round trip. Hot ones are told to the driver itself (`fetch`),
which costs less than half of what a session does; all others run in a `session`. Writes run in a `transaction`. Who
waits for a connection gets one in turn: the pool itself would give it to whoever asks at that moment. A
connection that the server has closed is noticed when it is taken from the pool, which costs nothing because the
socket's end is already known; so a restarted PostgreSQL serves the next request. Whatever says that the database
does not answer now (no connection, none free, a statement cut off by its time limit, a deadlock's victim) leaves both
as UnavailableError. Constraint violations are left to the stores, who know what they mean.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import asyncpg
import structlog
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import NullPool, event, exc, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.util import await_only, greenlet_spawn
from sqlmodel.ext.asyncio.session import AsyncSession

from services.errors import UnavailableError

# Seconds to wait for a new connection, and for a free one of the pool.
CONNECT_SECONDS: Final = 5.0
# Seconds after which a server that did not even cut the statement off itself is given up.
GRACE_SECONDS: Final = 1.0
PING_SECONDS: Final = 2.0
# Classes and codes of SQLSTATE (PostgreSQL manual, appendix A) under which the same request may pass later: connection,
# transaction rollback, resources, operator intervention and time limits, system errors, lock not available, and the
# read-only standby that one is connected to for a moment during a failover.
_TRANSIENT: Final = ("08", "40", "53", "57", "58", "55P03", "25006")
_REVISION: Final = text("SELECT version_num FROM alembic_version")
_UNDEFINED_TABLE: Final = "42P01"
# What the pool and the driver raise, besides mistakes of the program. A connection opened for `fetch` fails with the
# adapter's own errors, which a session would wrap.
_FAILURES: Final = (
    exc.DBAPIError,
    exc.TimeoutError,
    AsyncAdapt_asyncpg_dbapi.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)

log = structlog.get_logger(__name__)


class DatabaseSettings(BaseSettings):
    """What a process takes from its environment to reach its database."""

    # What was given is never repeated in an error: there is a password in it.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    database_url: SecretStr
    database_pool_size: int = Field(default=10, ge=1, le=100)

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        try:
            normalised(value.get_secret_value())
        except ValueError:
            # In words of our own: those of the parser may repeat a part of the password.
            raise ValueError("Must be of the form postgresql://user:password@host:port/database.") from None
        return value

    def database(self, application_name: str) -> "Database":
        """Answers the pool that the settings describe, not yet connected."""
        url = self.database_url.get_secret_value()
        return Database(url, pool_size=self.database_pool_size, application_name=application_name)


class Database:
    """A pool of at most `pool_size` connections to the database at `url`; connects when first used.

    `statement_timeout` is in seconds. `application_name` is what pg_stat_activity shows.
    """

    def __init__(
        self, url: str, *, pool_size: int = 10, statement_timeout: float = 5.0, application_name: str = "ecommerce"
    ) -> None:
        self._url = normalised(url)
        self._options = connect_options(statement_timeout, application_name)
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
        self._turns = asyncio.Semaphore(pool_size)
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Answers the rows of one statement that only reads, in the driver's own SQL: $1 stands for the first argument.

        One round trip; the driver keeps the statement prepared, so its text must be a constant. Values come as the
        driver makes them. Raises UnavailableError when the database does not answer, and asyncpg.PostgresError for a
        statement that it refuses.
        """
        await self._wait_for_turn()
        try:
            # The pool is written for threads; inside of this it may wait.
            return await greenlet_spawn(self._fetch, sql, args)
        finally:
            self._turns.release()

    def _fetch(self, sql: str, args: tuple[object, ...]) -> list[asyncpg.Record]:
        with unavailable_when_it_is():
            try:
                held: Any = self._engine.sync_engine.pool.connect()
            except exc.InvalidRequestError as error:
                # The pool's word for a connection that ended again as soon as it was made.
                _raise_unavailable(error)
        connection: asyncpg.Connection[asyncpg.Record] = held.driver_connection
        try:
            rows: list[asyncpg.Record] = await_only(connection.fetch(sql, *args))
        except BaseException as error:
            closed = connection.is_closed()
            # Only an answer of the server leaves a connection fit for the next statement: one that was given up in
            # the middle of an answer, for its time or by its caller, is replaced.
            if isinstance(error, asyncpg.PostgresError) and not closed:
                held.close()
            else:
                held.invalidate(error)
            # Whatever the driver makes of a connection that ends under it, it is the database that is away.
            ended = closed and isinstance(error, Exception)
            if ended or (isinstance(error, _FAILURES) and _is_transient(error)):
                _raise_unavailable(error)
            raise
        held.close()
        return rows

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Answers a session to read with; every statement sees what is committed when it starts.

        Raises UnavailableError when the database does not answer.
        """
        async with self._turn(), AsyncSession(self._reading, expire_on_commit=False) as session:
            yield session

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Answers a session whose changes are committed at the end of the block, or undone if it raises.

        Raises UnavailableError when the database does not answer; if that happens during the commit, the change may
        have been made. Raises sqlalchemy.exc.IntegrityError for what a constraint refuses.
        """
        async with self._turn(), AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
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
        with unavailable_when_it_is():
            async with engine.connect() as connection:
                yield connection

    async def missing(self, migrations: Path) -> list[str]:
        """Answers what a readiness check reports: PostgreSQL unless it answers, or migrations that are still to run.

        `migrations` is the service's own folder. A schema that is newer than its newest revision is as good: during an
        update the version before goes on on the schema of the next.
        """
        try:
            revision = await self._revision()
        except UnavailableError:
            return ["PostgreSQL"]
        return [] if revision >= newest_revision(migrations) else ["migrations"]

    async def _revision(self) -> str:
        """Answers the revision of the schema, and nothing for a database that no migration has seen yet."""
        with unavailable_when_it_is():
            async with asyncio.timeout(PING_SECONDS), self._turn(), self._reading.connect() as connection:
                try:
                    return str((await connection.execute(_REVISION)).scalar_one_or_none() or "")
                except exc.ProgrammingError as error:
                    if getattr(error.orig, "sqlstate", None) != _UNDEFINED_TABLE:
                        raise
                    return ""

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Has one of the pool's connections free for the block; what fails there because of the database is told so."""
        await self._wait_for_turn()
        try:
            with unavailable_when_it_is():
                yield
        finally:
            self._turns.release()

    async def _wait_for_turn(self) -> None:
        # A time limit costs more than the turn itself, so only who has to wait gets one.
        if not self._turns.locked():
            await self._turns.acquire()
            return
        with unavailable_when_it_is():
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._turns.acquire()

    async def close(self) -> None:
        """Closes every connection."""
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def newest_revision(migrations: Path) -> str:
    """Answers the newest revision in a folder of migrations: files are named by their revisions, which only grow."""
    return max(file.name.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*.py"))


def normalised(url: str) -> URL:
    """Answers the URL with the asyncpg driver in it; raises ValueError when it is not one of PostgreSQL."""
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise ValueError("The database URL is not a URL of the form postgresql://user:password@host:port/db.") from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(f"The database URL must begin with postgresql://, not with {parsed.drivername}://.")
    return parsed.set(drivername="postgresql+asyncpg")


def connect_options(statement_timeout: float, application_name: str) -> dict[str, Any]:
    """Answers what asyncpg is given for each connection; the time limit in seconds."""
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
def unavailable_when_it_is() -> Iterator[None]:
    """Raises UnavailableError in place of whatever says that the database does not answer now."""
    try:
        yield
    except _FAILURES as error:
        if not _is_transient(error):
            raise
        _raise_unavailable(error)


def _raise_unavailable(error: BaseException) -> NoReturn:
    log.warning("The database does not answer.", error=type(error).__name__, detail=_first_line(error))
    raise UnavailableError("The database does not answer now. Try again later.") from error


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        error = error.orig or error
    # Without a SQLSTATE the server did not speak: pool, network, a time limit, a connection ended or found in use.
    state = getattr(error, "sqlstate", None)
    return state is None or state.startswith(_TRANSIENT)


def _first_line(error: BaseException) -> str:
    """Leaves out the statement and its parameters, which SQLAlchemy prints on the lines after the first."""
    return str(error).partition("\n")[0]
