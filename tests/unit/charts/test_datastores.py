"""What holds for each datastore's chart: objects, pods, names that stay, volumes, and who may come in."""

from typing import Any

import pytest

from tests.unit.charts.datastores import CASES, NAMES, PARTS, choices, stored
from tests.unit.charts.rendering import RenderingError, of_kind, only, pod_templates
from tests.unit.charts.restricted import containers, violations
from tests.unit.charts.schemas import faults

every_store = pytest.mark.parametrize("store", NAMES)
NEW_VERSION = {"image": {"tag": "9.9.9"}, "podLabels": {"new": "label"}, "podAnnotations": {"new": "annotation"}}


@pytest.mark.parametrize(("store", "choice"), CASES)
def test_the_api_knows_every_field_and_pods_are_restricted(store: str, choice: str) -> None:
    """Whatever is chosen: no unknown field, and the restricted standard with requests, limits and a read-only root."""
    objects = stored(store, choices(store)[choice])
    assert faults(objects) == []
    for name, template in pod_templates(objects).items():
        assert violations(template["spec"]) == [], name


@every_store
def test_what_cannot_be_changed_does_not_change_with_a_version(store: str) -> None:
    """Selector, Service name and claim templates of the StatefulSet are the same after an update."""
    before, after = (only(stored(store, changes), "StatefulSet")["spec"] for changes in ({}, NEW_VERSION))
    for field in ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"):
        assert before[field] == after[field]
    assert before["template"] != after["template"]


@every_store
def test_claims_carry_the_labels_by_which_the_operator_finds_them(store: str) -> None:
    """The platform's labels are on the claim template; others are not, because they could never be changed."""
    labels = {"ecommerce.dev/platform": "shop", "mine": "1"}
    (claim,) = only(stored(store, {"podLabels": labels}), "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["labels"] == {
        "app.kubernetes.io/name": store,
        "app.kubernetes.io/instance": f"shop-{store}",
        "app.kubernetes.io/component": PARTS[store],
        "ecommerce.dev/platform": "shop",
    }


@every_store
@pytest.mark.parametrize(("retain", "policy"), [(True, "Retain"), (False, "Delete")])
def test_volumes_stay_unless_they_are_to_go(store: str, retain: bool, policy: str) -> None:  # noqa: FBT001 a case
    """`storage.retain` decides what the StatefulSet's deletion means for its claims; scaling down never deletes."""
    spec = only(stored(store, {"storage": {"retain": retain}}), "StatefulSet")["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": policy, "whenScaled": "Retain"}


@every_store
def test_clients_and_peers_find_the_pods(store: str) -> None:
    """One Service for clients, one headless that names pods before they are ready; both select servers alone."""
    objects = stored(store)
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "Service")}
    selector = only(objects, "StatefulSet")["spec"]["selector"]["matchLabels"]
    assert set(services) == {f"shop-{store}", f"shop-{store}-nodes"}
    assert only(objects, "StatefulSet")["spec"]["serviceName"] == f"shop-{store}-nodes"
    assert all(each["selector"] == selector for each in services.values())
    assert services[f"shop-{store}-nodes"]["clusterIP"] == "None"
    assert services[f"shop-{store}-nodes"]["publishNotReadyAddresses"] is True
    for job in of_kind(objects, "Job"):
        assert not selector.items() <= job["spec"]["template"]["metadata"]["labels"].items()


@every_store
def test_a_changed_configuration_rolls_the_pods(store: str) -> None:
    """Settings reach the servers, which read them only when they start."""
    other = choices(store)["settings"]
    before, after = (only(stored(store, changes), "StatefulSet")["spec"]["template"] for changes in ({}, other))
    assert before != after


@every_store
def test_every_pod_says_how_it_is_and_why_it_failed(store: str) -> None:
    """All three probes, time to stop, and the last lines of the log as the message of a failed container."""
    spec = only(stored(store), "StatefulSet")["spec"]["template"]["spec"]
    (server,) = spec["containers"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= server.keys()
    # A server that recovers after a crash is given minutes; one that hangs later is given up within one or two.
    start, alive = server["startupProbe"], server["livenessProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 300
    assert 30 <= alive["periodSeconds"] * alive["failureThreshold"] <= 120
    assert spec["terminationGracePeriodSeconds"] == 60
    assert all(each["terminationMessagePolicy"] == "FallbackToLogsOnError" for each in containers(spec))


@pytest.mark.parametrize("store", ["kafka", "elasticsearch"])
def test_a_budget_where_one_of_several_may_be_away(store: str) -> None:
    """None for one replica, whose budget would hold up every drain."""
    assert not of_kind(stored(store), "PodDisruptionBudget")
    assert only(stored(store, {"replicas": 3}), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_the_datastores_fit_on_a_small_node() -> None:
    """Together they ask for at most 0.7 processors and 2.25 GiB: a node of 2 and 8 GiB has room for the services."""
    servers = [only(stored(name), "StatefulSet")["spec"]["template"]["spec"]["containers"][0] for name in NAMES]
    asked = [server["resources"]["requests"] for server in servers]
    assert sum(int(each["cpu"].removesuffix("m")) for each in asked) <= 700
    units = {"Mi": 1, "Gi": 1024}
    assert sum(int(each["memory"][:-2]) * units[each["memory"][-2:]] for each in asked) <= 2304


@pytest.mark.parametrize(
    ("store", "changes", "said"),
    [
        ("postgres", {"superuser": {"secretName": ""}}, "set superuser.secretName"),
        ("postgres", {"replicas": 2}, "replicas"),
        ("postgres", {"settings": {"port": "1"}}, "'port'"),
        ("postgres", {"settings": {"max_connections": "1\nport=1"}}, "max_connections"),
        ("kafka", {"clusterId": ""}, "set clusterId"),
        ("kafka", {"clusterId": "short"}, "clusterId"),
        ("kafka", {"replicas": 2}, "replicas"),
        ("kafka", {"heap": "half"}, "heap"),
        ("kafka", {"settings": {"node.id": "1"}}, "'node.id'"),
        ("elasticsearch", {"replicas": 5}, "replicas"),
        ("elasticsearch", {"settings": {"node.name": "x"}}, "'node.name'"),
        ("elasticsearch", {"storage": {"size": "much"}}, "size"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(store: str, changes: dict[str, Any], said: str) -> None:
    """Helm says which value it is."""
    with pytest.raises(RenderingError, match=said):
        stored(store, changes)
