"""The services' charts: how versions follow one another, how many there are, and when one counts as ready."""

from collections.abc import Mapping
from typing import Any

import pytest

from local.topology import NAMES, SERVICES, Service
from tests.unit.charts.examples import rendered
from tests.unit.charts.rendering import Object, of_kind, only, pod_templates, serving

MIGRATING = [row.name for row in SERVICES if row.database]
# Seconds that a process takes at most to end by itself: calls under way, their connections, its loops (services/rpc,
# services/serving.py, services/runtime.py).
ENDING = {
    "account": 20 + 1 + 10,
    "product": 20 + 1 + 10,
    "order": 20 + 1 + 10,
    "payment": 20 + 1 + 10,
    "recommender": 20 + 1 + 10,
    "gateway": 5 + 15 + 10,
}


def job_name(service: str, changes: Mapping[str, Any]) -> str:
    return str(only(rendered(service, changes), "Job")["metadata"]["name"])


def rows(service: str) -> Service:
    return next(row for row in SERVICES if row.name == service)


def server(objects: list[Object]) -> dict[str, Any]:
    container: dict[str, Any] = serving(objects)["spec"]["template"]["spec"]["containers"][0]
    return container


def test_a_new_pod_is_ready_before_an_old_one_goes(objects: list[Object]) -> None:
    """A rollout takes no pod away that is needed, and one that fails at once stops it."""
    spec = serving(objects)["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert spec["minReadySeconds"] > 0


def test_a_pod_ends_within_its_grace(service: str, objects: list[Object]) -> None:
    """The sleep in which everybody learns that it leaves, and all that it has to finish, fit into the grace period."""
    pod = serving(objects)["spec"]["template"]["spec"]
    sleep = server(objects)["lifecycle"]["preStop"]["sleep"]["seconds"]
    # DNS answers of a cluster live five seconds, and a connection does.
    assert sleep > (5 if service == "gateway" else 5 + 5 + 1)
    assert sleep + ENDING[service] < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("service", [name for name in NAMES if name != "gateway"])
def test_grpc_probes(service: str) -> None:
    """Whether to restart is asked of `liveness`, whether to send calls of the server as a whole."""
    container = server(rendered(service, {}))
    assert container["startupProbe"]["grpc"] == {"port": 8080, "service": "liveness"}
    assert container["livenessProbe"]["grpc"] == {"port": 8080, "service": "liveness"}
    assert container["readinessProbe"]["grpc"] == {"port": 8080}


def test_http_probes() -> None:
    """The gateway is asked by HTTP; once ready, a service that is away does not take it out of work."""
    container = server(rendered("gateway", {}))
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["readinessProbe"]["failureThreshold"] > 10_000


def trainer(changes: Mapping[str, Any]) -> Object:
    found = of_kind(rendered("recommender", changes), "Deployment")
    return next(each for each in found if each["metadata"]["name"] == "shop-recommender-trainer")


def test_there_is_one_trainer_however_many_serve() -> None:
    """A second one would have nothing to do: the old one goes before the new one comes, and nothing scales it."""
    for changes in ({}, {"replicas": 3}, {"autoscaling": {"enabled": True}}):
        spec = trainer(changes)["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_trainer_has_cores_and_memory_of_its_own() -> None:
    """What training may take is not what serving may take."""
    taken = {"requests": {"cpu": "3", "memory": "4Gi"}, "limits": {"cpu": "3", "memory": "4Gi"}}
    changes = {"training": {"resources": taken}}
    assert trainer(changes)["spec"]["template"]["spec"]["containers"][0]["resources"] == taken
    assert server(rendered("recommender", changes)) == server(rendered("recommender"))


def test_the_trainer_is_asked_for_its_metrics() -> None:
    """Whether it lives is asked of the port that its metrics are on; its start may wait for the database."""
    container = trainer({})["spec"]["template"]["spec"]["containers"][0]
    probes = [container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")]
    assert [probe["httpGet"] for probe in probes] == [{"path": "/metrics", "port": "metrics"}] * 3
    assert probes[0]["periodSeconds"] * probes[0]["failureThreshold"] > 60


def test_the_trainer_is_told_to_be_dispensable() -> None:
    """The shop goes on without it, which its annotation says to the operator; no server has it."""
    for each in of_kind(rendered("recommender", {}), "Deployment"):
        optional = each["metadata"].get("annotations", {}).get("ecommerce.dev/optional")
        assert optional == ("true" if each["metadata"]["name"].endswith("-trainer") else None)


def test_in_development_it_runs_from_a_folder(service: str) -> None:
    """Then, and only then, the server's files are in a folder that can be written, and a program runs it from there."""
    objects = rendered(service, {"development": True})
    container = server(objects)
    assert container["command"] == ["python", "-m", "services.development"]
    assert container["args"] == [f"services.{service}", "serve"]
    assert "/sources" in [mount["mountPath"] for mount in container["volumeMounts"]]
    for worker in rows(service).workers:
        made = next(
            each for each in of_kind(objects, "Deployment") if each["metadata"]["name"] == f"shop-{worker.name}"
        )
        container = made["spec"]["template"]["spec"]["containers"][0]
        assert container["command"] == ["python", "-m", "services.development"]
        assert container["args"] == [f"services.{service}", worker.command]
    assert server(rendered(service, {}))["command"] == ["python", "-m", f"services.{service}"]


def test_a_start_may_wait_for_a_database(objects: list[Object]) -> None:
    """A service waits a minute for its database before it listens: the startup probe waits longer."""
    probe = server(objects)["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > 60


def test_the_gateway_takes_leave() -> None:
    """It says that it leaves before it stops, with the seconds that the grace period has room for."""
    assert {"name": "LEAVE_SECONDS", "value": "5"} in server(rendered("gateway", {}))["env"]


@pytest.mark.parametrize(
    ("values", "budgets"),
    [
        ({"replicas": 0}, 0),
        ({"replicas": 1}, 0),
        ({"replicas": 2}, 1),
        ({"replicas": 5, "autoscaling": {"enabled": True, "minReplicas": 1}}, 0),
        ({"replicas": 1, "autoscaling": {"enabled": True, "minReplicas": 2}}, 1),
    ],
)
def test_a_budget_only_where_there_are_several(service: str, values: Mapping[str, Any], budgets: int) -> None:
    """A disruption budget is there where there are at least two replicas, and lets one go at a time."""
    found = of_kind(rendered(service, values), "PodDisruptionBudget")
    assert [each["spec"]["maxUnavailable"] for each in found] == [1] * budgets


def test_who_scales(service: str) -> None:
    """Replicas are the Deployment's or the autoscaler's business, never both's."""
    fixed = rendered(service, {"replicas": 3})
    assert serving(fixed)["spec"]["replicas"] == 3
    assert not of_kind(fixed, "HorizontalPodAutoscaler")
    scaled = rendered(service, {"replicas": 3, "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 9}})
    assert "replicas" not in serving(scaled)["spec"]
    scaler = only(scaled, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"shop-{service}"}
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 9)


def test_scaling_replaces_no_pod(service: str, objects: list[Object]) -> None:
    """The pod template is the same for any number of replicas, and prefers to be spread over nodes and zones."""
    scaled = rendered(service, {"replicas": 3})
    assert pod_templates(scaled) == pod_templates(objects)
    spread = serving(scaled)["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    assert {each["whenUnsatisfiable"] for each in spread} == {"ScheduleAnyway"}


@pytest.mark.parametrize("service", NAMES)
def test_who_migrates(service: str) -> None:
    """Services with a database have one Job, in the stage before the others; the rest has none."""
    jobs = of_kind(rendered(service, {}), "Job")
    assert [each["metadata"]["annotations"]["ecommerce.dev/stage"] for each in jobs] == (
        ["migrate"] if service in MIGRATING else []
    )


@pytest.mark.parametrize("service", MIGRATING)
def test_a_migration_runs_and_ends(service: str) -> None:
    """It runs the module's `migrate`, starts no second container in a failed pod, and forgives a lost node."""
    spec = only(rendered(service, {}), "Job")["spec"]
    pod = spec["template"]["spec"]
    assert pod["containers"][0]["command"] == ["python", "-m", f"services.{service}"]
    assert pod["containers"][0]["args"] == ["migrate"]
    assert pod["restartPolicy"] == "Never"
    assert spec["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["type"] == "DisruptionTarget"
    assert "ttlSecondsAfterFinished" not in spec


@pytest.mark.parametrize("service", MIGRATING)
@pytest.mark.parametrize(
    "changes",
    [
        {"image": {"tag": "2"}},
        {"image": {"digest": f"sha256:{'b' * 64}"}},
        {"database": {"secretName": "another"}},
        {"podLabels": {"a": "b"}},
        {"podAnnotations": {"ecommerce.dev/secrets-digest": "changed"}},
        {"env": [{"name": "LOG_LEVEL", "value": "DEBUG"}]},
        {"migrations": {"resources": {"limits": {"memory": "1Gi"}}}},
        {"nodeSelector": {"a": "b"}},
        {"migrations": {"backoffLimit": 9}},
    ],
    ids=str,
)
def test_another_migration_is_another_job(service: str, changes: Mapping[str, Any]) -> None:
    """A Job cannot be changed, so what changes it changes its name."""
    assert job_name(service, changes) != job_name(service, {})


@pytest.mark.parametrize("service", MIGRATING)
@pytest.mark.parametrize(
    "changes",
    [
        {"replicas": 3},
        {"autoscaling": {"enabled": True}},
        {"resources": {"limits": {"memory": "1Gi"}}},
        {"terminationGracePeriodSeconds": 60},
        {"networkPolicy": {"enabled": False}},
        {"development": True},
    ],
    ids=str,
)
def test_the_same_migration_is_the_same_job(service: str, changes: Mapping[str, Any]) -> None:
    """What concerns the server alone runs no migration again."""
    assert job_name(service, changes) == job_name(service, {})
    assert only(rendered(service, changes), "Job") == only(rendered(service, {}), "Job")


def test_addresses_and_metrics_of_a_new_version_run_no_migration() -> None:
    """The product's address of account is the server's setting only."""
    assert job_name("product", {"addresses": {"account": "elsewhere:1"}}) == job_name("product", {})
