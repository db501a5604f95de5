"""The kafka chart's scripts with a real broker: formatted once, probed without a JVM, and held to its number."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local.errors import StartFailedError
from tests.integration.charts.pods import CLUSTER_ID, KafkaPod, until_there

TOPIC = "kept"


@pytest.fixture
async def pod(tmp_path: Path) -> AsyncIterator[KafkaPod]:
    pod = KafkaPod(tmp_path)
    yield pod
    await pod.kill()


async def test_records_outlive_a_stop_and_a_kill(pod: KafkaPod) -> None:
    """What was acknowledged is there after SIGTERM and after SIGKILL; the volume is formatted once."""
    await pod.start()
    await _create_topic(pod)
    formatted = (pod.volume / "logs/meta.properties").stat().st_mtime_ns
    assert CLUSTER_ID in (pod.volume / "logs/meta.properties").read_text()
    for number, end in enumerate((pod.stop, pod.kill)):
        await _produce(pod, str(number).encode())
        await end()
        await pod.start()
        assert await _consume(pod, number + 1) == [str(each).encode() for each in range(number + 1)]
    assert (pod.volume / "logs/meta.properties").stat().st_mtime_ns == formatted


async def test_a_kill_while_the_volume_is_formatted_leaves_nothing_in_the_way(pod: KafkaPod) -> None:
    """The next start formats it again."""
    pod.hang_after_formatting()
    starting = asyncio.create_task(pod.start())
    await until_there(pod.volume / "logs")
    await pod.kill()
    with pytest.raises(StartFailedError):
        await starting
    assert not (pod.volume / "replicas").exists()
    pod.hang_after_formatting(hanging=False)
    await pod.start()


async def test_another_number_of_brokers_is_refused(pod: KafkaPod) -> None:
    """The start script says why, before the broker could touch its data."""
    (pod.volume / "replicas").write_text("1\n")
    pod.replicas = "3"
    with pytest.raises(StartFailedError, match="a cluster of 1, and 3 are asked for: the number cannot be changed"):
        await pod.start()
    assert [each.name for each in pod.volume.iterdir()] == ["replicas"]


async def test_the_probe_fails_where_nothing_answers(pod: KafkaPod) -> None:
    """Without a broker, and with something else at the port."""
    assert not await pod.ready()
    stranger = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", pod.port)
    assert not await pod.ready()
    stranger.close()
    await stranger.wait_closed()


def _servers(pod: KafkaPod) -> str:
    return f"127.0.0.1:{pod.port}"


async def _create_topic(pod: KafkaPod) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=_servers(pod))
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 1, -1, replica_assignments={})])
    await admin.close()


async def _produce(pod: KafkaPod, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=_servers(pod), acks="all") as producer:
        await producer.send_and_wait(TOPIC, value)


async def _consume(pod: KafkaPod, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=_servers(pod), auto_offset_reset="earliest") as consumer:
        return [(await consumer.getone()).value for _ in range(count)]
