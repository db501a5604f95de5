"""The elasticsearch chart: a cluster of one or three, its settings, its writable folders, and who may come in where."""

from typing import Any

from tests.unit.charts.datastores import stored
from tests.unit.charts.rendering import Object, only


def _pod(changes: dict[str, Any] | None = None) -> Object:
    found: Object = only(stored("elasticsearch", changes), "StatefulSet")["spec"]["template"]["spec"]
    return found


def _settings(changes: dict[str, Any] | None = None) -> dict[str, str]:
    (container,) = _pod(changes)["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_one_node_is_its_own_cluster() -> None:
    """It waits for nobody, and asks nobody."""
    settings = _settings()
    assert settings["discovery.type"] == "single-node"
    assert not {"discovery.seed_hosts", "cluster.initial_master_nodes"} & settings.keys()


def test_three_nodes_find_each_other_and_all_vote() -> None:
    """A node that lost its volume joins the others, since it cannot be a majority alone."""
    settings = _settings({"replicas": 3})
    assert settings["discovery.seed_hosts"] == "shop-elasticsearch-nodes"
    assert settings["cluster.initial_master_nodes"] == ",".join(f"shop-elasticsearch-{each}" for each in range(3))
    assert "discovery.type" not in settings


def test_no_setting_of_the_nodes_kernel_is_needed() -> None:
    """Without mapped files the server starts with the usual vm.max_map_count."""
    assert _settings({"replicas": 3})["node.store.allow_mmap"] == "false"


def test_settings_and_heap_come_from_the_values() -> None:
    """Further settings win over the chart's own."""
    changed = {"heap": "1g", "settings": {"xpack.ml.enabled": "true", "indices.memory.index_buffer_size": "5%"}}
    assert _settings(changed).items() >= {
        ("ES_JAVA_OPTS", "-Xms1g -Xmx1g"),
        ("xpack.ml.enabled", "true"),
        ("indices.memory.index_buffer_size", "5%"),
        ("xpack.security.enabled", "false"),
    }


def test_what_the_server_writes_is_outside_of_its_image() -> None:
    """Configuration (where it keeps a keystore), logs and temporary files are scratch; the data is the claim."""
    (container,) = _pod()["containers"]
    home = "/usr/share/elasticsearch"
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {f"{home}/data": "data", f"{home}/config": "config", f"{home}/logs": "logs", "/tmp": "tmp"}  # noqa: S108 in the container
    (prepare,) = _pod()["initContainers"]
    assert {"config", "data"} <= {mount["name"] for mount in prepare["volumeMounts"]}


def test_only_search_comes_in_and_nodes_talk_to_each_other_alone() -> None:
    """The product service on HTTP, this release's nodes on transport."""
    clients, peers = only(stored("elasticsearch"), "NetworkPolicy")["spec"]["ingress"]
    names, _ = clients["from"][0]["podSelector"]["matchExpressions"]
    assert (names["values"], clients["ports"][0]["port"]) == (["product"], "http")
    selector = only(stored("elasticsearch"), "StatefulSet")["spec"]["selector"]
    assert (peers["from"], peers["ports"][0]["port"]) == ([{"podSelector": selector}], "transport")
