"""Claims about the health of everything that runs no pods, and about a component's as a whole."""

import itertools
from typing import Any

import pytest

from ecommerce_operator.health import assess, overall
from ecommerce_operator.model import Health, State
from tests.unit.operator.objects import Object, around, condition, event, made

READY = Health(State.READY, "Ready")


def thing(api: str, kind: str, *, seconds: float = 5, spec: Object | None = None, **status: Any) -> Object:
    found = made(kind, "it", None, seconds, generation=2)
    return found | {"apiVersion": api, "spec": spec or {}, "status": status}


def claim(phase: str, *, seconds: float = 5, **status: Any) -> Object:
    return thing("v1", "PersistentVolumeClaim", seconds=seconds, phase=phase, **status)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret", "Service", "ServiceAccount"])
def test_what_is_there_is_ready(kind: str) -> None:
    """An object without a status is ready by being there."""
    assert assess(made(kind, "it") | {"apiVersion": "v1"}, around()) == READY


@pytest.mark.parametrize(
    ("found", "state", "reason"),
    [
        (claim("Bound"), State.READY, "Ready"),
        (claim("Pending"), State.PROGRESSING, "ClaimPending"),
        (claim("Pending", seconds=301), State.FAILED, "ClaimPending"),
        (claim("Lost"), State.FAILED, "ClaimLost"),
    ],
)
def test_claims(found: Object, state: State, reason: str) -> None:
    """A claim is ready when it is bound, and has a while for that."""
    health = assess(found, around())
    assert (health.state, health.reason) == (state, reason)


def test_a_claim_that_cannot_grow() -> None:
    """It works as before, and the driver's words are told as a warning."""
    found = claim("Bound", conditions=[condition("Resizing", "True")])
    assert assess(found, around()) == READY
    health = assess(found, around(events=[event(found, "VolumeResizeFailed", "not supported")]))
    assert (health.state, health.reason) == (State.READY, "VolumeResizeFailed")
    assert health.message.endswith("not supported")


NET = "networking.k8s.io/v1"
ADDRESS = {"ingress": [{"ip": "10.0.0.1"}]}


def test_an_ingress() -> None:
    """It is ready with an address; without one it is so after a while, with a warning that names the class."""
    assert assess(thing(NET, "Ingress", loadBalancer=ADDRESS), around()) == READY
    assert assess(thing(NET, "Ingress"), around()).state is State.PROGRESSING
    late = assess(thing(NET, "Ingress", seconds=31, spec={"ingressClassName": "nginx"}), around())
    assert (late.state, late.reason) == (State.READY, "NoAddress")
    assert "of the class nginx" in late.message


GATEWAY_API = "gateway.networking.k8s.io/v1"


def route(*answers: Object, seconds: float = 5) -> Object:
    parents = [{"parentRef": {"name": "public"}, "conditions": list(answers)}] if answers else []
    spec = {"parentRefs": [{"name": "public"}]}
    return thing(GATEWAY_API, "HTTPRoute", seconds=seconds, spec=spec, parents=parents)


def test_a_route() -> None:
    """It is ready when its Gateway took it, and failed with the Gateway's words, or when none answers."""
    taken, resolved = condition("Accepted", "True"), condition("ResolvedRefs", "True")
    assert assess(route(taken, resolved), around()) == READY
    refused = assess(route(condition("Accepted", "False", "NotAllowedByListeners", "no")), around())
    assert (refused.state, refused.reason) == (State.FAILED, "NotAllowedByListeners")
    assert "The Gateway public does not take it: no" in refused.message
    assert assess(route(), around()).state is State.PROGRESSING
    assert assess(route(seconds=31), around()).reason == "NoGateway"
    assert assess(route(taken | {"observedGeneration": 1}), around()).state is State.PROGRESSING


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({}, "Ready"),
        ({"conditions": [condition("ScalingActive", "True")], "currentReplicas": 1}, "Ready"),
        ({"conditions": [condition("ScalingActive", "False", "FailedGetResourceMetric")]}, "Ready"),
        (
            {"conditions": [condition("ScalingActive", "False", "FailedGetResourceMetric")], "currentReplicas": 1},
            "FailedGetResourceMetric",
        ),
        ({"conditions": [condition("ScalingActive", "False", "ScalingDisabled")], "currentReplicas": 1}, "Ready"),
    ],
)
def test_an_autoscaler_is_never_worse_than_a_warning(status: Object, reason: str) -> None:
    """Pods serve without it, so that it has no metrics is told and makes nothing unready."""
    health = assess(thing("autoscaling/v2", "HorizontalPodAutoscaler", **status), around())
    assert (health.state, health.reason) == (State.READY, reason)


POSTGRES, KAFKA = ("postgresql.cnpg.io/v1", "Cluster"), ("kafka.strimzi.io/v1", "Kafka")


@pytest.mark.parametrize("kind", [POSTGRES, KAFKA])
@pytest.mark.parametrize(
    ("seconds", "status", "state", "reason"),
    [
        (5, {}, State.PROGRESSING, "Reconciling"),
        (61, {}, State.FAILED, "NoOperator"),
        (5, {"conditions": [condition("Ready", "True")]}, State.READY, "Ready"),
        (5, {"conditions": [condition("Ready", "False", "Creating", "wait")]}, State.PROGRESSING, "Creating"),
        (5, {"conditions": [condition("Ready", "False", "Broken", seconds=601)]}, State.FAILED, "Broken"),
        (5, {"conditions": [condition("NotReady", "True", "Creating")]}, State.PROGRESSING, "Creating"),
        (5, {"conditions": [condition("Other", "True")]}, State.PROGRESSING, "NotReady"),
        (5, {"conditions": [condition("Ready", "True")], "observedGeneration": 1}, State.PROGRESSING, "Reconciling"),
    ],
)
def test_datastores_of_other_operators(
    kind: tuple[str, str], seconds: float, status: Object, state: State, reason: str
) -> None:
    """They are ready when their operator says so, and failed when there is none, or after ten minutes."""
    health = assess(thing(*kind, seconds=seconds, **status), around())
    assert (health.state, health.reason) == (state, reason)


@pytest.mark.parametrize(
    ("seconds", "status", "state"),
    [
        (5, {}, State.PROGRESSING),
        (61, {}, State.FAILED),
        (5, {"phase": "Ready", "health": "green"}, State.READY),
        (5, {"phase": "Ready", "health": "yellow"}, State.READY),
        (5, {"phase": "Ready", "health": "red"}, State.PROGRESSING),
        (5, {"phase": "ApplyingChanges", "health": "green"}, State.PROGRESSING),
        (601, {"phase": "ApplyingChanges", "health": "unknown"}, State.FAILED),
        (5, {"phase": "Invalid"}, State.FAILED),
        (5, {"phase": "Ready", "health": "green", "observedGeneration": 1}, State.PROGRESSING),
    ],
)
def test_a_managed_elasticsearch(seconds: float, status: Object, state: State) -> None:
    """Its phase and colour say how it is."""
    found = thing("elasticsearch.k8s.elastic.co/v1", "Elasticsearch", seconds=seconds, **status)
    assert assess(found, around()).state is state


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, State.PROGRESSING),
        ({"applied": True, "observedGeneration": 2}, State.READY),
        ({"applied": True, "observedGeneration": 1}, State.PROGRESSING),
        ({"applied": False, "message": "no such role", "observedGeneration": 2}, State.FAILED),
    ],
)
def test_a_managed_database(status: Object, state: State) -> None:
    """It is ready when its operator has made it."""
    assert assess(thing("postgresql.cnpg.io/v1", "Database", **status), around()).state is state


def test_a_stalled_object_has_failed() -> None:
    """Any other kind is judged by the conditions that kstatus knows."""
    found = thing("example.dev/v1", "Thing", conditions=[condition("Stalled", "True", "Broken", "words")])
    assert assess(found, around()) == Health(State.FAILED, "Broken", "Thing it: words")


PARTS = (
    READY,
    Health(State.READY, "NoAddress", "look"),
    Health(State.PROGRESSING, "RollingOut", "1 of 2"),
    Health(State.FAILED, "ImagePullBackOff", "gone"),
)


def test_the_worst_part_is_the_whole() -> None:
    """A component is as its worst object, in any order; a warning goes before plain readiness; nothing is ready."""
    for count in range(1, len(PARTS) + 1):
        for parts in itertools.permutations(PARTS, count):
            assert overall(parts) == max(parts, key=PARTS.index)
    assert overall([]) == READY


def test_the_first_of_equals_is_told() -> None:
    """Of two that failed, the one that comes first is the reason."""
    first, second = Health(State.FAILED, "A", "first"), Health(State.FAILED, "B", "second")
    assert overall([first, second]) == first
