"""The database on a real PostgreSQL: clear errors while it is away, no restart when it is back, one schema history."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from local.datastores import Datastores
from services import migration
from services.database import Database, normalised
from services.errors import UnavailableError
from services.migration import migrate, pending_changes
from services.outbox import OutboxRecord

NewDatabase = Callable[[str], Awaitable[str]]
# Runs one statement and answers its first value.
Ask = Callable[[Database, str], Awaitable[object]]


@pytest.fixture
async def url(new_database: NewDatabase) -> str:
    return await new_database("database")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database with an empty table of unique numbers."""
    database = Database(url, pool_size=2, statement_timeout=1.0, application_name="the-test")
    async with database.transaction() as session:
        await run(session, "CREATE TABLE numbers (number INT PRIMARY KEY)")
    yield database
    await database.close()


async def run(session: AsyncSession, statement: str, **values: object) -> sa.CursorResult[tuple[object, ...]]:
    connection = await session.connection()
    return await connection.execute(sa.text(statement), values)


async def ask(database: Database, statement: str = "SELECT 1") -> object:
    async with database.session() as session:
        return (await run(session, statement)).scalar_one()


async def ask_driver(database: Database, statement: str) -> object:
    (row,) = await database.fetch(statement)
    return row[0]


@pytest.fixture(params=[ask, ask_driver], ids=["session", "fetch"])
def read(request: pytest.FixtureRequest) -> Ask:
    """Each way of reading in turn: they differ in cost, not in what they promise."""
    return request.param  # type: ignore[no-any-return] # pytest knows no types


async def insert(database: Database, *numbers: int) -> None:
    async with database.transaction() as session:
        for number in numbers:
            await run(session, "INSERT INTO numbers VALUES (:number)", number=number)


async def test_a_transaction_is_kept_or_undone_as_a_whole(database: Database) -> None:
    """What a transaction wrote is there after the block, and none of it when the block raises; constraints are told."""
    await insert(database, 1, 2)
    with pytest.raises(IntegrityError):
        await insert(database, 3, 1)
    assert await ask(database, "SELECT count(*) FROM numbers") == 2


async def test_reads_open_no_transaction(database: Database) -> None:
    """A read is one statement: nothing is begun, so no connection idles in a transaction while its session is open."""
    async with database.session() as session:
        await run(session, "SELECT 1")
        idle = "state LIKE 'idle in transaction%' AND datname = current_database()"
        assert await ask(database, f"SELECT count(*) FROM pg_stat_activity WHERE {idle}") == 0  # noqa: S608 a constant


async def test_connections_say_whose_they_are(database: Database) -> None:
    """pg_stat_activity shows the application's name."""
    assert await ask(database, "SELECT current_setting('application_name')") == "the-test"


async def test_a_statement_over_its_time_is_cut_off(database: Database, read: Ask) -> None:
    """A statement that takes too long is ended by the server and told as unavailable; the connection goes on."""
    began = time.monotonic()
    with pytest.raises(UnavailableError):
        await read(database, "SELECT pg_sleep(30)")
    assert time.monotonic() - began < 10
    assert await read(database, "SELECT 1") == 1


async def test_a_deadlock_is_told_as_unavailable(database: Database) -> None:
    """The victim of a deadlock is told that the same request may pass later; the other one passes."""
    await insert(database, 1, 2)
    lock = "SELECT 1 FROM numbers WHERE number = :number FOR UPDATE"

    async def change(first: int, second: int, both_began: asyncio.Barrier) -> None:
        async with database.transaction() as session:
            await run(session, "SET LOCAL deadlock_timeout = '50ms'")
            await run(session, lock, number=first)
            await both_began.wait()
            await run(session, lock, number=second)

    barrier = asyncio.Barrier(2)
    outcomes = await asyncio.gather(change(1, 2, barrier), change(2, 1, barrier), return_exceptions=True)
    assert sorted(map(type, outcomes), key=str) == [type(None), UnavailableError]


async def test_an_exhausted_pool_is_told_as_unavailable(
    database: Database, read: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits longer than the pool's limit for a connection is told so; the pool goes on."""
    monkeypatch.setattr("services.database.CONNECT_SECONDS", 0.1)
    async with database.session() as one, database.session() as two:
        await run(one, "SELECT 1")
        await run(two, "SELECT 1")
        with pytest.raises(UnavailableError):
            await read(database, "SELECT 1")
    assert await read(database, "SELECT 1") == 1


async def test_connections_are_given_in_turn(database: Database, read: Ask) -> None:
    """Nobody waits for ever beside those who ask again and again, also after some who waited have gone."""
    answered, warm, stop = 0, asyncio.Event(), asyncio.Event()

    async def ask_again_and_again() -> None:
        nonlocal answered
        while not stop.is_set():
            await read(database, "SELECT 1")
            answered += 1
            if answered == 20:
                warm.set()

    readers = [asyncio.create_task(ask_again_and_again()) for _ in range(8)]
    try:
        await warm.wait()
        gone = asyncio.ensure_future(read(database, "SELECT 1"))
        await asyncio.sleep(0)
        gone.cancel()
        before = answered
        assert await read(database, "SELECT 1") == 1
        assert answered - before <= 2 * len(readers)
    finally:
        stop.set()
        await asyncio.gather(*readers)


async def test_a_refused_connection_is_told_as_unavailable(url: str, read: Ask) -> None:
    """A server that takes no further connection, as when it starts, stops or is full, is told as unavailable."""
    owner, role = Database(url), f"role_{uuid4().hex[:8]}"
    async with owner.transaction() as session:
        await run(session, f"CREATE ROLE {role} LOGIN PASSWORD 'of-a-test' CONNECTION LIMIT 1")
    limited = make_url(url).set(username=role, password="of-a-test").render_as_string(hide_password=False)
    async with owner, Database(limited, pool_size=2) as database, database.session() as one:
        await run(one, "SELECT 1")
        with pytest.raises(UnavailableError):
            await read(database, "SELECT 1")
    async with owner, owner.transaction() as session:
        await run(session, f"DROP ROLE {role}")


async def test_cancelled_requests_leave_the_pool_whole(database: Database, read: Ask) -> None:
    """A caller who gives up in the middle of a statement costs the pool no connection."""
    for _ in range(6):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await read(database, "SELECT 1 FROM pg_sleep(0.5)")
    answers = await asyncio.gather(*(read(database, "SELECT 1 FROM pg_sleep(0.1)") for _ in range(2)))
    assert answers == [1, 1]


async def test_the_driver_reads_what_a_session_reads(database: Database) -> None:
    """Arguments go by number; nothing is begun, and the connections are those of the pool."""
    await insert(database, 1, 2, 3)
    rows = await database.fetch("SELECT number FROM numbers WHERE number = ANY($1::int[]) ORDER BY number", [3, 1, 7])
    assert [row["number"] for row in rows] == [1, 3]
    assert await database.fetch("SELECT number FROM numbers WHERE number = $1", 9) == []
    name = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state NOT LIKE 'idle in transaction%'"
    assert [tuple(row) for row in await database.fetch(name, "the-test")] == [(1,)]


async def test_a_mistake_is_no_outage(database: Database) -> None:
    """A statement that the server refuses, and an argument of another type, are told as they are; the pool goes on."""
    with pytest.raises(asyncpg.UndefinedTableError):
        await database.fetch("SELECT * FROM nothing")
    with pytest.raises(asyncpg.DataError):
        await database.fetch("SELECT $1::int", "one")
    assert [tuple(row) for row in await database.fetch("SELECT $1::int", 1)] == [(1,)]


async def test_a_prepared_read_survives_a_migration(database: Database) -> None:
    """A statement that is prepared already goes on when a migration has changed its table."""
    await insert(database, 1)
    assert len((await database.fetch("SELECT * FROM numbers"))[0]) == 1
    async with database.transaction() as session:
        await run(session, "ALTER TABLE numbers ADD COLUMN name TEXT")
    assert len((await database.fetch("SELECT * FROM numbers"))[0]) == 2


async def test_a_restarted_postgresql_serves_the_next_request(
    datastores: Datastores, database: Database, read: Ask, migrations: Path
) -> None:
    """While PostgreSQL is down each request is told so; when it is back the first one passes, on every connection."""

    async def hold() -> object:
        async with database.transaction() as session:
            return (await run(session, "SELECT 1 FROM pg_sleep(0.1)")).scalar_one()

    await asyncio.gather(hold(), hold())
    await datastores.postgres.restart()
    assert list(await asyncio.gather(hold(), hold())) == [1, 1]
    await datastores.postgres.restart()
    assert await read(database, "SELECT 1") == 1
    await datastores.postgres.kill()
    for attempt in (read(database, "SELECT 1"), insert(database, 7)):
        with pytest.raises(UnavailableError):
            await attempt
    assert await database.missing(migrations) == ["PostgreSQL"]
    await datastores.postgres.start()
    assert await database.missing(migrations) == ["migrations"]
    assert list(await asyncio.gather(hold(), hold())) == [1, 1]


async def test_a_postgresql_that_dies_under_many_reads(datastores: Datastores, url: str, read: Ask) -> None:
    """Whatever the driver makes of connections that end in the middle of an answer, callers are told of an outage."""
    told: set[type[Exception]] = set()
    back = asyncio.Event()

    async def reading(database: Database) -> None:
        while not back.is_set():
            try:
                await read(database, "SELECT 1 FROM pg_sleep(0.002)")
            except Exception as error:  # noqa: BLE001 which ones there are is the question
                told.add(type(error))
                await asyncio.sleep(0.02)

    async with Database(url, pool_size=10) as database:
        readers = [asyncio.create_task(reading(database)) for _ in range(48)]
        for _ in range(2):
            assert await read(database, "SELECT 1") == 1
            await datastores.postgres.kill()
            await datastores.postgres.start()
        back.set()
        await asyncio.gather(*readers)
    assert told == {UnavailableError}


async def test_a_frozen_postgresql_is_noticed_in_time(
    datastores: Datastores, database: Database, read: Ask, migrations: Path
) -> None:
    """A server that keeps its connections and answers nothing costs a request its time limit and no more."""
    await read(database, "SELECT 1")
    datastores.postgres.pause()
    try:
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            await read(database, "SELECT 1")
        assert await database.missing(migrations) == ["PostgreSQL"]
        assert time.monotonic() - began < 20
    finally:
        datastores.postgres.resume()
    assert await read(database, "SELECT 1") == 1


def test_a_url_of_another_database_is_refused() -> None:
    """The URL is PostgreSQL's in either spelling; anything else is told without showing the password."""
    assert normalised("postgresql://u:p@h/d").drivername == "postgresql+asyncpg"
    for wrong in ("mysql://u:secret@h/d", "secret"):
        with pytest.raises(ValueError, match="URL") as refused:
            normalised(wrong)
        assert "secret" not in str(refused.value)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """The history of a service that has an outbox and nothing else."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(
        dedent("""
            from sqlmodel import SQLModel
            from services.migration import run_migrations
            run_migrations(SQLModel.metadata)
        """)
    )
    (tmp_path / "versions" / "0001_outbox.py").write_text(
        dedent("""
            from alembic import op
            from services import outbox
            revision, down_revision = "0001", None
            def upgrade() -> None:
                op.execute("SELECT pg_sleep(0.3)")
                outbox.create_table(op)
        """)
    )
    return tmp_path


async def test_migrating_twice_at_once_is_harmless(url: str, migrations: Path) -> None:
    """Of two simultaneous runs one migrates and the other finds nothing left to do."""
    async with asyncio.TaskGroup() as both:
        for _ in range(2):
            both.create_task(asyncio.to_thread(migrate, url, migrations, SQLModel.metadata))
    database = Database(url, application_name="test")
    assert await ask(database, "SELECT count(*) FROM outbox") == 0
    assert await ask(database, "SELECT string_agg(version_num, ',') FROM alembic_version") == "0001"
    await database.close()


async def test_a_schema_that_is_behind_is_not_ready(url: str, migrations: Path) -> None:
    """A service is ready from its newest revision on, and stays so on the schema of a later version."""
    database = Database(url, application_name="test")
    assert await database.missing(migrations) == ["migrations"]
    await asyncio.to_thread(migrate, url, migrations, SQLModel.metadata)
    assert await database.missing(migrations) == []
    (migrations / "versions" / "0002_more.py").touch()
    assert await database.missing(migrations) == ["migrations"]
    async with database.transaction() as session:
        await run(session, "UPDATE alembic_version SET version_num = '0003'")
    assert await database.missing(migrations) == []
    await database.close()


async def test_the_outbox_model_and_its_migration_agree(url: str, migrations: Path) -> None:
    """The comparison finds nothing between OutboxRecord and create_table, and does find a column that only one has."""
    name = OutboxRecord.__tablename__
    assert await asyncio.to_thread(pending_changes, url, migrations, SQLModel.metadata, [name]) == []
    database = Database(url, application_name="test")
    async with database.transaction() as session:
        await run(session, "ALTER TABLE outbox DROP COLUMN refusal")
    await database.close()
    (change,) = await asyncio.to_thread(pending_changes, url, migrations, SQLModel.metadata, [name])
    assert change[0] == "add_column"


async def test_a_migration_held_up_by_another_says_so(
    url: str, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that cannot have the lock within the wait changes nothing and is told as unavailable."""
    monkeypatch.setattr(migration, "MIGRATION_WAIT", 1.0)
    database = Database(url, application_name="test")
    async with database.dedicated() as other:
        await other.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": migration.MIGRATION_LOCK})
        with pytest.raises(UnavailableError):
            await asyncio.to_thread(migrate, url, migrations, SQLModel.metadata)
    assert await ask(database, "SELECT to_regclass('outbox')") is None
    await database.close()


async def test_migrate_waits_for_the_database_and_then_says_so(
    migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that does not answer within the wait is told as unavailable."""
    monkeypatch.setattr(migration, "MIGRATION_WAIT", 0.1)
    with pytest.raises(UnavailableError):
        await asyncio.to_thread(migrate, "postgresql://u:p@127.0.0.1:9/d", migrations, SQLModel.metadata)
