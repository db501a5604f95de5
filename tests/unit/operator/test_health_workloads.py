"""Claims about Deployments, StatefulSets and Jobs: ready when rolled out and serving, and why not."""

from typing import Any

import pytest

from ecommerce_operator.health import assess, overall
from ecommerce_operator.model import Health, State
from tests.unit.operator.objects import (
    DONE,
    NOW,
    Object,
    ago,
    around,
    condition,
    container,
    crashed,
    deployment,
    event,
    job,
    logs,
    pod,
    replica_set,
    stateful_set,
)

READY = Health(State.READY, "Ready")
QUOTA = 'pods "x" is forbidden: exceeded quota: small'
PULLING = container(waiting={"reason": "ImagePullBackOff", "message": "manifest unknown"})


def test_a_deployment_that_serves() -> None:
    """It is ready when all pods are of its newest template and available, and no other one is left."""
    assert assess(deployment(**DONE), around()) == READY
    assert assess(deployment(0), around()) == READY


@pytest.mark.parametrize(
    "found",
    [
        deployment(generation=3, **DONE),
        deployment(**(DONE | {"updatedReplicas": 0})),
        deployment(**(DONE | {"availableReplicas": 0})),
        deployment(**(DONE | {"replicas": 2})),
        deployment(2, **DONE),
        deployment() | {"status": {}},
    ],
    ids=["unseen", "old template", "not available", "old pod left", "one missing", "brand new"],
)
def test_a_deployment_on_its_way(found: Object) -> None:
    """It is progressing while its controller has not seen the change, or pods are missing or left over."""
    health = assess(found, around())
    assert health.state is State.PROGRESSING
    assert health.message.startswith("Deployment shop-order: ")


def test_a_deployment_past_its_own_deadline() -> None:
    """What is on its way past the deadline has failed; the pods' reason is told if there is one."""
    late = condition("Progressing", "False", "ProgressDeadlineExceeded")
    found = deployment(replicas=1, updatedReplicas=1, conditions=[late])
    assert assess(found, around()).reason == "ProgressDeadlineExceeded"
    early = pod(None, container(waiting={"reason": "CrashLoopBackOff"}, before=crashed(), restartCount=1))
    health = assess(found, around(early))
    assert (health.state, health.reason) == (State.FAILED, "CrashLoopBackOff")


def test_a_deployment_whose_pods_cannot_be_made() -> None:
    """The quota's words are told, without those of the controller before them."""
    refused = condition("ReplicaFailure", "True", "FailedCreate", QUOTA)
    health = assess(deployment(conditions=[refused]), around())
    assert (health.state, health.reason) == (State.FAILED, "FailedCreate")
    assert health.message == f"Deployment shop-order: Pods cannot be made: {QUOTA}"


def rollout(**status: Any) -> tuple[Object, Object, Object]:
    found = deployment(**({"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1} | status))
    return found, replica_set(found, "1"), replica_set(found, "2")


def test_a_broken_update_while_old_pods_serve() -> None:
    """It has failed, because what was asked for is not there; the message says that the old pods serve."""
    found, before, newest = rollout()
    pods = [pod(before, container(ready=True), name="old", ready=True, phase="Running"), pod(newest, PULLING)]
    health = assess(found, around(*pods, replica_sets=[before, newest]))
    assert (health.state, health.reason) == (State.FAILED, "ImagePullBackOff")
    assert health.message.endswith("manifest unknown (Pods of the version before still serve.)")


def test_a_broken_update_without_old_pods() -> None:
    """Where nothing serves, nothing says that it does."""
    found, before, newest = rollout(availableReplicas=0)
    health = assess(found, around(pod(newest, PULLING), replica_sets=[before, newest]))
    assert "still serve" not in health.message


def test_broken_pods_of_the_version_before_are_no_reason() -> None:
    """Once a template is corrected, the pods of the broken one are only on their way out."""
    found, before, newest = rollout(availableReplicas=0)
    pods = [pod(before, PULLING, name="old"), pod(newest, container(waiting={"reason": "ContainerCreating"}))]
    assert assess(found, around(*pods, replica_sets=[before, newest])).state is State.PROGRESSING


def optional(found: Object) -> Object:
    found["metadata"].setdefault("annotations", {})["ecommerce.dev/optional"] = "true"
    return found


def test_what_is_dispensable_fails_as_a_warning() -> None:
    """A Deployment that its component serves without is ready whatever it suffers from, and says what that is."""
    found = optional(deployment(replicas=1, updatedReplicas=1))
    crashing = pod(None, container(waiting={"reason": "CrashLoopBackOff"}, before=crashed(), restartCount=4))
    health = assess(found, around(crashing))
    assert (health.state, health.reason) == (State.READY, "CrashLoopBackOff")
    assert health.message.startswith("Deployment shop-order: ")
    assert overall([READY, health]) == health


def test_what_is_dispensable_is_waited_for_once() -> None:
    """Until its newest template was rolled out it is on its way; when it only starts again, that is a warning."""
    starting = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 0}
    new = condition("Progressing", "True", "ReplicaSetUpdated")
    assert assess(optional(deployment(**starting, conditions=[new])), around()).state is State.PROGRESSING
    rolled_out = condition("Progressing", "True", "NewReplicaSetAvailable")
    health = assess(optional(deployment(**starting, conditions=[rolled_out])), around())
    assert (health.state, health.reason) == (State.READY, "RollingOut")
    unseen = optional(deployment(**starting, conditions=[rolled_out], observedGeneration=1))
    assert assess(unseen, around()).state is State.PROGRESSING


def test_a_stateful_set_that_serves() -> None:
    """It is ready when all of its pods are ready and of its newest template."""
    assert assess(stateful_set(3, replicas=3, readyReplicas=3), around()) == READY


@pytest.mark.parametrize(
    "status",
    [
        {"replicas": 3, "readyReplicas": 2},
        {"replicas": 4, "readyReplicas": 4},
        {"replicas": 3, "readyReplicas": 3, "updateRevision": "b", "updatedReplicas": 1},
        {"replicas": 3, "readyReplicas": 3, "observedGeneration": 0},
    ],
    ids=["not ready", "one too many", "old template", "unseen"],
)
def test_a_stateful_set_on_its_way(status: dict[str, Any]) -> None:
    """It is progressing while pods are missing, left over or of the template before."""
    assert assess(stateful_set(3, **status), around()).state is State.PROGRESSING


def test_a_stateful_set_whose_pods_cannot_be_made() -> None:
    """Only an event tells; when a later one says that a pod was made, it is forgotten."""
    found = stateful_set(replicas=0)
    words = f"create Pod shop-kafka-0 in StatefulSet shop-kafka failed error: {QUOTA}"
    refused = event(found, "FailedCreate", words, seconds=60)
    health = assess(found, around(events=[refused]))
    assert (health.state, health.reason) == (State.FAILED, "FailedCreate")
    assert health.message == f"StatefulSet shop-kafka: Pods cannot be made: {QUOTA}"
    made = event(found, "SuccessfulCreate", "create Pod", seconds=30)
    assert assess(found, around(events=[refused, made])).state is State.PROGRESSING


def revised(owner: Object, revision: str, *containers: Object, seconds: float = 20) -> Object:
    return pod(owner, *containers, name=revision, labels={"controller-revision-hash": revision}, seconds=seconds)


def test_a_broken_pod_of_the_newest_template_has_failed() -> None:
    """A StatefulSet's reason is that of its newest pods."""
    found = stateful_set(2, replicas=2, updateRevision="b", updatedReplicas=1)
    health = assess(found, around(revised(found, "a", PULLING), revised(found, "b", PULLING)))
    assert (health.state, health.reason) == (State.FAILED, "ImagePullBackOff")


@pytest.mark.parametrize(("seconds", "state"), [(60, State.PROGRESSING), (700, State.FAILED)])
def test_a_broken_pod_of_an_older_template_is_about_to_be_replaced(seconds: float, state: State) -> None:
    """It counts as on its way, unless nothing has replaced it for a long time."""
    found = stateful_set(1, replicas=1, updateRevision="b")
    assert assess(found, around(revised(found, "a", PULLING, seconds=seconds))).state is state


@pytest.mark.parametrize("kind", ["Complete", "SuccessCriteriaMet"])
def test_a_job_that_is_done(kind: str) -> None:
    """It is ready when it has completed."""
    assert assess(job(conditions=[condition(kind, "True")]), around()) == READY


def failing(owner: Object) -> Object:
    return pod(owner, container(ended=crashed()), phase="Failed")


def test_a_job_that_has_failed() -> None:
    """The controller's reason and the last line of the pod that failed last are told."""
    words = "Job has reached the specified backoff limit"
    found = job(failed=7, conditions=[condition("Failed", "True", "BackoffLimitExceeded", words)])
    first = failing(found) | {"metadata": failing(found)["metadata"] | {"name": "first", "creationTimestamp": ago(99)}}
    line = logs("relation exists already", previous=False)
    health = assess(found, around(first, failing(found), logs=line))
    assert (health.state, health.reason) == (State.FAILED, "BackoffLimitExceeded")
    assert health.message == f"Job shop-order-migrate-1: {words} Its last line: relation exists already"


@pytest.mark.parametrize(("failed", "state"), [(1, State.PROGRESSING), (2, State.PROGRESSING), (3, State.FAILED)])
def test_a_job_that_is_tried_again(failed: int, state: State) -> None:
    """Its last line is told from the first time on; from the third time on it has failed, though it is tried again."""
    found = job(failed=failed)
    health = assess(found, around(failing(found), logs=logs("no such role", previous=False)))
    assert (health.state, health.reason) == (state, "Retrying")
    assert health.message.endswith("Its last line: no such role")


def test_a_job_whose_image_is_not_there() -> None:
    """A Job's pods are asked as those of any workload."""
    found = job(active=1)
    health = assess(found, around(pod(found, PULLING)))
    assert (health.state, health.reason) == (State.FAILED, "ImagePullBackOff")


def test_a_job_whose_pods_cannot_be_made() -> None:
    """A quota that lets no pod in is told as the reason."""
    found = job()
    health = assess(found, around(events=[event(found, "FailedCreate", f"Error creating: {QUOTA}")]))
    assert health.message == f"Job shop-order-migrate-1: Pods cannot be made: {QUOTA}"


def test_a_job_that_runs() -> None:
    """It is on its way, as long as it takes no longer than ten minutes."""
    assert assess(job(active=1), around()).state is State.PROGRESSING
    old = job(active=1)
    old["metadata"]["creationTimestamp"] = ago(601)
    assert assess(old, around()).state is State.FAILED
    suspended = job() | {"spec": {"suspend": True}}
    assert assess(suspended, around()).reason == "Suspended"


def test_what_is_being_removed_is_on_its_way() -> None:
    """An object that is being deleted is progressing, however well it looks."""
    found = deployment(**DONE)
    found["metadata"]["deletionTimestamp"] = NOW.isoformat()
    assert assess(found, around()).reason == "Terminating"
