"""Topics on a real Kafka: created as described, left alone when they exist."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from local.datastores import Datastores
from services.errors import UnavailableError
from services.events import TOPICS, ensure_topics


async def test_topics_are_created_once_as_described(datastores: Datastores) -> None:
    """Every topic exists afterwards with its partitions and settings; a second time changes nothing."""
    servers = datastores.kafka.bootstrap_servers
    for _ in range(2):
        await ensure_topics(servers, TOPICS)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(list(TOPICS))}
        resource = ConfigResource(ConfigResourceType.TOPIC, "product_events")
        (answer,) = await admin.describe_configs([resource])
    finally:
        await admin.close()
    assert found == {topic.name: topic.partitions for topic in TOPICS.values()}
    settings = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert (settings["cleanup.policy"], settings["retention.ms"]) == ("compact", "-1")


async def test_a_kafka_that_does_not_answer_is_told() -> None:
    """Without a broker the wait ends in UnavailableError."""
    with pytest.raises(UnavailableError):
        await ensure_topics("127.0.0.1:9", ["order_events"], wait=0)
