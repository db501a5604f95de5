"""The kafka chart: settings that go with the number of brokers, and who may come in where."""

from typing import Any

import pytest

from tests.unit.charts.datastores import stored
from tests.unit.charts.rendering import only


def _properties(changes: dict[str, Any] | None = None) -> dict[str, str]:
    text = only(stored("kafka", changes), "ConfigMap")["data"]["server.properties"]
    return dict(line.split("=", 1) for line in text.splitlines() if line)


@pytest.mark.parametrize(("replicas", "copies", "needed"), [(1, "1", "1"), (3, "3", "2")])
def test_records_have_as_many_copies_as_there_are_brokers(replicas: int, copies: str, needed: str) -> None:
    """Of three copies two acknowledge, so that one broker may be away and nothing acknowledged is lost with another."""
    settings = _properties({"replicas": replicas})
    for name in (
        "default.replication.factor",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "share.coordinator.state.topic.replication.factor",
    ):
        assert settings[name] == copies
    for name in (
        "min.insync.replicas",
        "transaction.state.log.min.isr",
        "share.coordinator.state.topic.min.isr",
    ):
        assert settings[name] == needed


def test_voters_are_the_pods_by_their_numbers() -> None:
    """Each by the address that the headless Service gives it; the start script takes its own number from its name."""
    assert _properties({"replicas": 3})["controller.quorum.voters"] == ",".join(
        f"{number}@shop-kafka-{number}.shop-kafka-nodes.shop.svc:9093" for number in range(3)
    )
    assert not {"node.id", "advertised.listeners"} & _properties().keys()


def test_the_values_settings_win() -> None:
    """Over the chart's own, each setting once."""
    assert _properties({"settings": {"num.io.threads": "8", "log.retention.hours": "1"}}).items() >= {
        ("num.io.threads", "8"),
        ("log.retention.hours", "1"),
        ("auto.create.topics.enable", "false"),
    }


def test_heap_is_what_the_values_say() -> None:
    """From the start, so that the container's memory is enough or is found not to be at once."""
    (container,) = only(stored("kafka", {"heap": "2g"}), "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert {"name": "KAFKA_HEAP_OPTS", "value": "-Xms2g -Xmx2g"} in container["env"]


def test_controllers_talk_to_each_other_alone() -> None:
    """The controllers' port is for this release's brokers, the clients' for those who send or read."""
    clients, peers = only(stored("kafka"), "NetworkPolicy")["spec"]["ingress"]
    assert clients["ports"] == [{"port": "kafka", "protocol": "TCP"}]
    names, _ = clients["from"][0]["podSelector"]["matchExpressions"]
    assert {"product", "order", "gateway", "kafka"} <= set(names["values"])
    assert "account" not in names["values"]
    assert peers == {
        "from": [{"podSelector": only(stored("kafka"), "StatefulSet")["spec"]["selector"]}],
        "ports": [{"port": "controller", "protocol": "TCP"}],
    }
