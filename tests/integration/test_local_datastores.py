"""Claims about the datastores as processes: they keep what they were given, and leave nothing behind."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from elasticsearch import AsyncElasticsearch

from local.datastores import Datastores, Layout
from local.errors import PortTakenError

# Starts the datastores, tells their pids, and waits to be killed.
PARENT = """
import asyncio, json, pathlib, sys
from local.datastores import Datastores, Layout

async def main():
    datastores = Datastores(Layout.temporary(pathlib.Path(sys.argv[1])))
    await datastores.start()
    print(json.dumps([process.pid for process in datastores.all]), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Datastores]:
    """Datastores that belong to one test."""
    async with Datastores(Layout.temporary(tmp_path)) as datastores:
        yield datastores


async def write(datastores: Datastores) -> None:
    await datastores.postgres.create_database("kept")
    connection = await asyncpg.connect(dsn(datastores))
    await connection.execute("CREATE TABLE kept (text text)")
    await connection.execute("INSERT INTO kept VALUES ('in PostgreSQL')")
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=datastores.kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=datastores.kafka.bootstrap_servers) as producer:
        await producer.send_and_wait("kept", b"in Kafka")
    async with AsyncElasticsearch(datastores.elasticsearch.url) as client:
        await client.index(index="kept", id="1", document={"text": "in Elasticsearch"})


async def read(datastores: Datastores) -> list[str]:
    connection = await asyncpg.connect(dsn(datastores))
    row = await connection.fetchval("SELECT text FROM kept")
    await connection.close()
    servers = datastores.kafka.bootstrap_servers
    async with AIOKafkaConsumer("kept", bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        message = await consumer.getone()
    async with AsyncElasticsearch(datastores.elasticsearch.url) as client:
        found = await client.get(index="kept", id="1")
    return [row, message.value.decode(), found["_source"]["text"]]


def dsn(datastores: Datastores) -> str:
    return datastores.postgres.url("kept").replace("+asyncpg", "")


async def test_everything_survives_a_kill_and_a_restart(own: Datastores) -> None:
    """What each acknowledged is there after kill -9 of all, and after a graceful stop of all."""
    await write(own)
    expected = ["in PostgreSQL", "in Kafka", "in Elasticsearch"]
    for process in own.all:
        await process.kill()
        assert not process.running
    await own.start()
    assert await read(own) == expected
    await own.stop()
    await own.start()
    assert await read(own) == expected


async def test_a_paused_server_answers_again_once_it_is_resumed(datastores: Datastores) -> None:
    """Also the sessions that PostgreSQL's backends hold are frozen meanwhile."""
    await datastores.postgres.create_database("kept")
    connection = await asyncpg.connect(dsn(datastores))
    datastores.postgres.pause()
    with pytest.raises(TimeoutError):
        await connection.fetchval("SELECT 1", timeout=0.3)
    datastores.postgres.resume()
    await connection.close()
    fresh = await asyncpg.connect(dsn(datastores))
    assert await fresh.fetchval("SELECT 1") == 1
    await fresh.close()


def listeners(process: psutil.Process) -> list[str]:
    """Where it listens; nowhere when it has ended since it was listed, as PostgreSQL's children come and go."""
    with suppress(psutil.NoSuchProcess):
        return [at.laddr.ip for at in process.net_connections("tcp") if at.status == "LISTEN"]
    return []


def handle_of(process: psutil.Process) -> int | None:
    """What tells of its end; None when that was before."""
    with suppress(ProcessLookupError):
        return os.pidfd_open(process.pid)
    return None


async def test_a_stop_leaves_no_process_and_only_loopback_was_listened_on(tmp_path: Path) -> None:
    """Every process that was there while it ran, PostgreSQL's own children too, is gone afterwards."""
    async with Datastores(Layout.temporary(tmp_path)) as datastores:
        roots = [psutil.Process(process.pid) for process in datastores.all]
        everyone = [*roots, *(child for root in roots for child in root.children(recursive=True))]
        listening = [address for one in everyone for address in listeners(one)]
        assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert not [process for process in everyone if process.is_running()]


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL for the process that started them ends all three and their children."""
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:  # noqa: S603 (our own program)
        assert parent.stdout
        roots = [psutil.Process(pid) for pid in json.loads(parent.stdout.readline())]
        below = [one for root in roots for one in (root, *root.children(recursive=True))]
        ends = [handle for one in below if (handle := handle_of(one)) is not None]
        parent.send_signal(signal.SIGKILL)
    for handle in ends:
        assert select.select([handle], [], [], 60)[0]
        os.close(handle)


async def test_a_taken_port_stops_the_start_and_names_the_holder(datastores: Datastores, tmp_path: Path) -> None:
    """Two PostgreSQL servers on one port: the second start tells the first one's pid."""
    second = Datastores(Layout(tmp_path, datastores.layout.ports, durable=False))
    with pytest.raises(PortTakenError, match=rf"PostgreSQL cannot listen .* pid {datastores.postgres.pid} "):
        await second.postgres.start()
