"""The postgres chart's provision Job with a real server: roles and databases, made and mended."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from local.ports import free_ports
from tests.integration.charts.pods import SUPERUSER, PostgresPod, provision, write_secret

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("psql", "pg_isready"))),
    reason="psql is not on this host: apt-get install postgresql-client",
)

ACCOUNT: Final = {"username": "account", "password": "it's; -- \\ 'x", "database": "account"}
ORDER: Final = {"username": "order", "password": "$(id) `id` :x", "database": "order"}


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[PostgresPod]:
    pod = PostgresPod(tmp_path, {"log_statement": "all", "log_min_duration_statement": "0"})
    await pod.start()
    yield pod
    await pod.kill()


@pytest.fixture
def databases(tmp_path: Path) -> Path:
    folder = tmp_path / "databases"
    write_secret(folder / "account", ACCOUNT)
    write_secret(folder / "order", ORDER)
    return folder


async def test_each_role_reaches_its_own_database_and_no_other(pod: PostgresPod, databases: Path) -> None:
    """It may make tables in its own; it is let into none of the others, and is nothing more than that."""
    done = await asyncio.to_thread(provision, pod, databases)
    assert done.returncode == 0, done.stderr
    for mine, others in ((ACCOUNT, ("order", "postgres", "template1")), (ORDER, ("account", "postgres", "template1"))):
        connection = await pod.connect(**mine)
        await connection.execute("CREATE TABLE mine (number int)")
        rights = await connection.fetchrow(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname = current_user"
        )
        await connection.close()
        assert not any(rights)
        for other in others:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pod.connect(**{**mine, "database": other})


async def test_run_again_it_changes_passwords_and_keeps_data(pod: PostgresPod, databases: Path) -> None:
    """A changed password holds at once, the old one no more; what somebody took or gave by hand is mended."""
    assert (await asyncio.to_thread(provision, pod, databases)).returncode == 0
    connection = await pod.connect(**ACCOUNT)
    await connection.execute("CREATE TABLE kept (number int); INSERT INTO kept VALUES (1)")
    await connection.close()
    connection = await pod.connect(**SUPERUSER)
    await connection.execute("ALTER ROLE account CREATEDB; GRANT CONNECT ON DATABASE account TO PUBLIC")
    await connection.close()

    write_secret(databases / "account", {**ACCOUNT, "password": "another"})
    done = await asyncio.to_thread(provision, pod, databases)
    assert done.returncode == 0, done.stderr
    connection = await pod.connect(**{**ACCOUNT, "password": "another"})
    assert await connection.fetchval("SELECT number FROM kept") == 1
    assert not await connection.fetchval("SELECT rolcreatedb FROM pg_roles WHERE rolname = 'account'")
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await pod.connect(**ACCOUNT)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pod.connect(**{**ORDER, "database": "account"})


async def test_no_log_holds_a_password(pod: PostgresPod, databases: Path) -> None:
    """Neither the Job's nor the server's, even where the values ask for every statement in the log."""
    done = await asyncio.to_thread(provision, pod, databases)
    said = done.stdout + done.stderr + pod.log_path.read_text()
    assert "has its role and its database" in said
    for secret in (ACCOUNT, ORDER, SUPERUSER):
        assert secret["password"] not in said
    assert "ALTER ROLE" not in said


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({"username": "account", "password": "x"}, "the Secret for account has no database"),
        ({**ACCOUNT, "username": SUPERUSER["username"]}, "the Secret for account names the superuser"),
        ({**ACCOUNT, "database": "template1"}, "the Secret for account names a database of PostgreSQL's own"),
    ],
)
async def test_a_secret_that_cannot_be_meant_is_refused(
    pod: PostgresPod, databases: Path, secret: dict[str, str], said: str
) -> None:
    """The Job fails and says which, and the superuser is as it was."""
    write_secret(databases / "account", secret)
    done = await asyncio.to_thread(provision, pod, databases)
    assert done.returncode == 1
    assert done.stderr.strip() == f"provision: {said}"
    await (await pod.connect(**SUPERUSER)).close()


async def test_it_waits_for_the_server_and_not_for_ever(pod: PostgresPod, databases: Path) -> None:
    """A server that comes is waited for; one that does not is named at the end."""
    await pod.stop()
    running = asyncio.create_task(asyncio.to_thread(provision, pod, databases, 60))
    await pod.start()
    assert (await running).returncode == 0

    pod.port = free_ports(["nobody"])["nobody"]
    done = await asyncio.to_thread(provision, pod, databases, 1)
    assert done.returncode == 1
    assert done.stderr == "provision: PostgreSQL at 127.0.0.1 has not answered for 1 seconds\n"
