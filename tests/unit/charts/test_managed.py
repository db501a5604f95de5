"""Datastores in mode managed: the resources of other operators, and the addresses that services have of them."""

from typing import Any

import pytest

from ecommerce_operator.kinds import kind_of
from tests.unit.charts.datastores import NAMES, choices, stored
from tests.unit.charts.rendering import Object, RenderingError, merged, of_kind, only
from tests.unit.charts.schemas import faults

FOREIGN = ("Cluster", "Database", "Kafka", "KafkaNodePool", "Elasticsearch")


def managed(store: str, changes: dict[str, Any] | None = None) -> list[Object]:
    return stored(store, merged({"mode": "managed", "replicas": 3}, changes or {}))


@pytest.mark.parametrize("store", NAMES)
def test_no_pod_is_made_here(store: str) -> None:
    """What is left beside the other operator's resources is what the API knows."""
    for choice in choices(store).values():
        if store == "kafka" and "affinity" in choice:
            continue
        objects = managed(store, {**choice, "replicas": 3})
        assert not {each["kind"] for each in objects} & {"StatefulSet", "Job", "Service", "ConfigMap"}
        assert faults([each for each in objects if each["kind"] not in FOREIGN]) == []


@pytest.mark.parametrize("store", NAMES)
def test_the_operator_applies_every_kind_in_the_version_that_is_rendered(store: str) -> None:
    """A kind in another version would be refused as one that the operator does not apply."""
    for each in managed(store):
        assert kind_of(each), (each["apiVersion"], each["kind"])


def test_postgres_is_found_where_it_is_found_in_mode_embedded() -> None:
    """CloudNativePG makes one more Service for the primary, so that the databases' URLs hold in both modes."""
    cluster = only(managed("postgres"), "Cluster")["spec"]
    (service,) = cluster["managed"]["services"]["additional"]
    assert (service["selectorType"], service["serviceTemplate"]["metadata"]["name"]) == ("rw", "shop-postgres")
    assert cluster["instances"] == 3


def test_each_role_comes_into_its_own_database() -> None:
    """Roles with the services' passwords, a database each, and rules that refuse whatever else comes."""
    objects = managed("postgres")
    cluster = only(objects, "Cluster")["spec"]
    assert {each["name"]: each["passwordSecret"]["name"] for each in cluster["managed"]["roles"]} == {
        "account": "shop-account-database",
        "order": "shop-order-database",
    }
    assert [(each["spec"]["name"], each["spec"]["owner"]) for each in of_kind(objects, "Database")] == [
        ("account", "account"),
        ("order", "order"),
    ]
    assert cluster["postgresql"]["pg_hba"] == [
        'host "account" "account" all scram-sha-256',
        'host "order" "order" all scram-sha-256',
        "host all all all reject",
    ]


def test_kafka_keeps_three_copies_and_lets_in_clients_alone() -> None:
    """Strimzi makes policies of the listener's peers; its own settings are left to it."""
    objects = managed("kafka")
    kafka, pool = only(objects, "Kafka")["spec"]["kafka"], only(objects, "KafkaNodePool")
    assert kafka["config"]["default.replication.factor"] == "3"
    assert not [name for name in kafka["config"] if name.startswith(("listeners", "controller.", "log.dir", "broker."))]
    (listener,) = kafka["listeners"]
    assert (listener["port"], listener["tls"], len(listener["networkPolicyPeers"])) == (9092, False, 1)
    assert pool["metadata"]["labels"]["strimzi.io/cluster"] == "shop-kafka"
    # Names of pods are those of the cluster, the pool and a number, and have at most 63 characters.
    assert len(f"{'x' * 36}-{pool['metadata']['name']}-0") <= 63


def test_a_place_for_strimzis_pods_is_named_once() -> None:
    """They know no nodeSelector, so it becomes an affinity, and two of them cannot be one."""
    pool = only(managed("kafka", {"nodeSelector": {"disk": "ssd"}}), "KafkaNodePool")
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity = pool["spec"]["template"]["pod"]["affinity"]["nodeAffinity"][required]
    assert affinity["nodeSelectorTerms"][0]["matchExpressions"] == [
        {"key": "disk", "operator": "In", "values": ["ssd"]}
    ]
    with pytest.raises(RenderingError, match="give affinity or nodeSelector, not both"):
        managed("kafka", {"nodeSelector": {"disk": "ssd"}, "affinity": {"podAntiAffinity": {}}})


@pytest.mark.parametrize(
    ("retain", "policy"), [(True, "DeleteOnScaledownOnly"), (False, "DeleteOnScaledownAndClusterDeletion")]
)
def test_elasticsearch_keeps_its_volumes_unless_they_are_to_go(retain: bool, policy: str) -> None:  # noqa: FBT001 a case
    """As in mode embedded, `storage.retain` decides."""
    spec = only(managed("elasticsearch", {"storage": {"retain": retain}}), "Elasticsearch")["spec"]
    assert spec["volumeClaimDeletePolicy"] == policy
    assert [(each["name"], each["count"]) for each in spec["nodeSets"]] == [("default", 3)]


def test_images_of_other_operators_are_theirs() -> None:
    """Unless one is named: they need more in them than the official ones have."""
    assert "imageName" not in only(managed("postgres"), "Cluster")["spec"]
    assert "image" not in only(managed("kafka"), "Kafka")["spec"]["kafka"]
    assert "image" not in only(managed("elasticsearch"), "Elasticsearch")["spec"]
    own = {"image": {"repository": "registry.example.com/postgres", "tag": "18"}}
    assert only(managed("postgres", own), "Cluster")["spec"]["imageName"] == "registry.example.com/postgres:18"
