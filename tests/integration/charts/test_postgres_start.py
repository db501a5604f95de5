"""The postgres chart's start script with a real server: first start, further starts, and what goes wrong between."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from local.errors import StartFailedError
from local.launching import wrapped
from tests.integration.charts.pods import SUPERUSER, PostgresPod, ran, until_there, write_secret


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[PostgresPod]:
    pod = PostgresPod(tmp_path, {"max_connections": "20", "log_statement": "all", "log_min_duration_statement": "0"})
    yield pod
    await pod.kill()


async def test_the_first_start_makes_a_cluster_that_is_the_same_wherever_it_runs(pod: PostgresPod) -> None:
    """Checksums, UTF-8 and a collation of PostgreSQL's own; passwords by SCRAM; the values' settings hold."""
    await pod.start()
    connection = await pod.connect(**SUPERUSER)
    shown = {
        name: await connection.fetchval(f"SHOW {name}")
        for name in ("data_checksums", "server_encoding", "password_encryption", "max_connections", "timezone")
    }
    collation = await connection.fetchrow(
        "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
    )
    await connection.close()
    assert shown == {
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "password_encryption": "scram-sha-256",
        "max_connections": "20",
        "timezone": "UTC",
    }
    assert tuple(collation) == (b"b", "C.UTF-8")


async def test_data_outlives_a_stop_and_a_kill(pod: PostgresPod) -> None:
    """What was acknowledged is there after a fast shutdown, and after SIGKILL."""
    await pod.start()
    connection = await pod.connect(**SUPERUSER)
    await connection.execute("CREATE TABLE kept (number int)")
    for number, end in enumerate((pod.stop, pod.kill)):
        await connection.execute("INSERT INTO kept VALUES ($1)", number)
        # A fast shutdown does not wait for this connection.
        await end()
        await pod.start()
        connection = await pod.connect(**SUPERUSER)
        assert await connection.fetchval("SELECT count(*) FROM kept") == number + 1
    await connection.close()


async def test_the_secrets_password_holds_from_the_next_start(pod: PostgresPod) -> None:
    """The old password is refused, the new one lets in; so it is with another name for the superuser."""
    await pod.start()
    for changed in ({**SUPERUSER, "password": "another"}, {"username": "root", "password": "third"}):
        write_secret(pod.superuser, changed)
        await pod.restart()
        connection = await pod.connect(**changed)
        assert await connection.fetchval("SELECT usesuper FROM pg_user WHERE usename = current_user")
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await pod.connect(changed["username"], SUPERUSER["password"])


async def test_no_log_holds_the_password(pod: PostgresPod) -> None:
    """Even where the values ask for every statement in the log."""
    await pod.start()
    connection = await pod.connect(**SUPERUSER)
    await connection.execute("SELECT 'seen in the log'")
    await connection.close()
    await pod.restart()
    log = pod.log_path.read_text()
    assert "seen in the log" in log
    assert "secret" not in log
    assert "ALTER ROLE" not in log


async def test_a_kill_while_the_cluster_is_made_leaves_none(pod: PostgresPod) -> None:
    """The next start makes it again, whole."""
    starting = asyncio.create_task(pod.start())
    await until_there(pod.volume / "cluster.new/PG_VERSION")  # long before initdb is done
    await pod.kill()
    with pytest.raises(StartFailedError):
        await starting
    assert not pod.cluster.exists()
    # A container's processes all end with its first; here one that initdb was just starting may live a moment longer.
    unlocked = await asyncio.to_thread(ran, ["flock", "--timeout=30", str(pod.volume / "lock"), "true"], os.environ)
    assert unlocked.returncode == 0
    await pod.start()
    assert not (pod.volume / "cluster.new").exists()


async def test_a_second_server_does_not_touch_a_volume_in_use(pod: PostgresPod) -> None:
    """It ends at once and says why; the first goes on."""
    await pod.start()
    done = await asyncio.to_thread(_run_another, pod)
    assert done.returncode == 1
    assert done.stderr == "start: another server uses this volume\n"
    assert await pod.ready()


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({"username": "shop"}, "start: the superuser's Secret has no password"),
        ({"username": "shop", "password": ""}, "start: the superuser's Secret has no password"),
        ({"username": "a\nb\n", "password": "x"}, "start: the superuser's username has more than one line"),
    ],
)
async def test_a_secret_that_cannot_be_used_is_named(pod: PostgresPod, secret: dict[str, str], said: str) -> None:
    """Nothing is written then."""
    write_secret(pod.superuser, secret)
    done = await asyncio.to_thread(_run_another, pod)
    assert done.returncode == 1
    assert done.stderr.strip() == said
    assert not list(pod.volume.iterdir())


def _run_another(pod: PostgresPod) -> "subprocess.CompletedProcess[str]":
    command = pod.command()
    return ran(wrapped(command), command.environment)
