"""Claims about the reasons of pods: the real one is told, and failed is said when it will not heal by itself."""

from typing import Any

import pytest

from ecommerce_operator.health import assess, logs_wanted
from ecommerce_operator.model import Health, Log, Related, State
from tests.unit.operator.objects import (
    NOW,
    Object,
    ago,
    around,
    condition,
    container,
    crashed,
    deployment,
    event,
    logs,
    made,
    pod,
)

ROLLING = {"replicas": 1, "updatedReplicas": 1}
NO_ROOM = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No victims."


def told(broken: Object, **further: Any) -> Health:
    """The health of a Deployment whose only pod is this one."""
    return assess(deployment(**ROLLING), around(broken, **further))


def image(reason: str, message: str = "", seconds: float = 20) -> Health:
    return told(pod(None, container(waiting={"reason": reason, "message": message}), seconds=seconds))


NOT_FOUND = 'rpc error: code = NotFound desc = failed to resolve "shop/order:2": not found'
REFUSED = "rpc error: code = Unknown desc = dial tcp 10.0.0.1:443: connect: connection refused"


def test_an_image_that_is_not_there() -> None:
    """It has failed at once, with the image and the registry's words; trying and waiting are told alike."""
    trying = image("ErrImagePull", NOT_FOUND)
    waiting = image("ImagePullBackOff", f'Back-off pulling image "shop/order:2": ErrImagePull: {NOT_FOUND}')
    assert trying == waiting
    assert (trying.state, trying.reason) == (State.FAILED, "ImagePullBackOff")
    assert trying.message == (
        'Deployment shop-order: The image shop/order:2 cannot be pulled: failed to resolve "shop/order:2": not found'
    )


def test_an_image_whose_registry_does_not_answer() -> None:
    """It is on its way until the deadline: a registry comes back by itself."""
    assert image("ErrImagePull", REFUSED).state is State.PROGRESSING
    assert image("ErrImagePull", REFUSED, seconds=700).state is State.FAILED


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull", "ImageInspectError"])
def test_other_troubles_with_an_image(reason: str) -> None:
    """They have failed at once under their own names."""
    assert (image(reason).state, image(reason).reason) == (State.FAILED, reason)


def test_an_older_kubelet_tells_the_reason_in_an_event() -> None:
    """Where the pod's status does not hold the registry's words, the event does."""
    broken = pod(None, container(waiting={"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}))
    found = told(broken, events=[event(broken, "Failed", f"Failed to pull image: {NOT_FOUND}")])
    assert found.message.endswith('failed to resolve "shop/order:2": not found')


def test_a_missing_secret() -> None:
    """A container that cannot be made for want of a Secret has failed at once, with the kubelet's words."""
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "elsewhere" not found'}
    found = told(pod(None, container(waiting=waiting)))
    assert (found.state, found.reason) == (State.FAILED, "CreateContainerConfigError")
    assert 'secret "elsewhere" not found' in found.message


def test_a_busy_runtime_gets_a_minute() -> None:
    """What the kubelet tries again with success now and then has failed only after a while."""
    waiting = {"reason": "CreateContainerError", "message": "context deadline exceeded"}
    assert told(pod(None, container(waiting=waiting))).state is State.PROGRESSING
    assert told(pod(None, container(waiting=waiting), seconds=90)).state is State.FAILED


@pytest.mark.parametrize(("restarts", "state"), [(1, State.PROGRESSING), (2, State.PROGRESSING), (3, State.FAILED)])
def test_a_crash(restarts: int, state: State) -> None:
    """A program that ended once or twice may have been too early; from the third time on it has failed."""
    broken = pod(None, container(waiting={"reason": "CrashLoopBackOff"}, before=crashed(), restartCount=restarts))
    found = told(broken, logs=logs("account: DATABASE_URL: Field required"))
    assert (found.state, found.reason) == (state, "CrashLoopBackOff")
    assert found.message.endswith("The container order ends with exit code 1: account: DATABASE_URL: Field required")


def test_the_first_crash_after_a_long_run() -> None:
    """A program that served for hours and ends has not failed yet, however often it was started in its life."""
    ended = crashed(startedAt=ago(4000))
    found = told(pod(None, container(waiting={"reason": "CrashLoopBackOff"}, before=ended, restartCount=9)))
    assert (found.state, found.reason) == (State.PROGRESSING, "CrashLoopBackOff")


def test_a_crash_is_told_the_same_in_all_its_phases() -> None:
    """Waiting, ended and running again shortly: the status does not flicker between them."""
    phases = [
        container(waiting={"reason": "CrashLoopBackOff"}, before=crashed(), restartCount=4),
        container(ended=crashed(), restartCount=4),
        container(before=crashed(), restartCount=5),
    ]
    assert len({told(pod(None, phase)) for phase in phases}) == 1


def test_a_crash_is_forgotten() -> None:
    """A container that has run for longer than any pause of the kubelet is judged by what it does now."""
    found = told(pod(None, container(before=crashed(seconds=1000), restartCount=4)))
    assert found.reason == "RollingOut"


def test_too_little_memory() -> None:
    """A container that the kernel ended says so."""
    ended = crashed(137, reason="OOMKilled")
    found = told(pod(None, container(waiting={"reason": "CrashLoopBackOff"}, before=ended, restartCount=3)))
    assert found.reason == "OOMKilled"
    assert "more than its memory limit" in found.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"event": "cannot start", "level": "error"}', "cannot start"),
        ('{"event": "cannot start", "error": "no route"}', "cannot start: no route"),
        ('{"event": "failed", "exception": [{"exc_type": "OSError", "exc_value": "gone"}]}', "failed: OSError: gone"),
        ('{"event": "failed", "exception": "Traceback\\n  x\\nOSError: gone"}', "failed: OSError: gone"),
        ("[1, 2]", "[1, 2]"),
        ("  many \t spaces ", "many spaces"),
        ("x" * 1000, "x" * 399 + "…"),
    ],
)
def test_log_lines_are_told_plainly(line: str, words: str) -> None:
    """A structured line is told as its event and error, and no line is longer than a status should hold."""
    broken = pod(None, container(waiting={"reason": "CrashLoopBackOff"}, before=crashed(), restartCount=3))
    assert told(broken, logs=logs(line)).message.endswith(f"exit code 1: {words}")


def test_the_message_of_an_ended_container_will_do() -> None:
    """Where no log was read, what the kubelet kept of it is told."""
    ended = crashed(message="starting\nValueError: no key\n")
    broken = pod(None, container(waiting={"reason": "CrashLoopBackOff"}, before=ended, restartCount=3))
    assert told(broken).message.endswith("exit code 1: ValueError: no key")


def test_whose_logs_are_wanted() -> None:
    """Logs are asked for where a container ended in an error, of the right run, and of a few only."""
    waiting = pod(None, container(waiting={"reason": "CrashLoopBackOff"}, before=crashed()), name="waiting")
    ended = pod(None, container(ended=crashed()), name="ended", phase="Failed")
    well = pod(None, container(ready=True, before=crashed()), name="well")
    done = pod(None, container(ended=crashed(0)), name="done")
    leaving = pod(None, container(ended=crashed()), name="leaving", deletionTimestamp=ago(1))
    wanted = logs_wanted([waiting, ended, well, done, leaving])
    assert wanted == (Log("waiting", "order", previous=True), Log("ended", "order", previous=False))
    assert len(logs_wanted([waiting] * 10)) == 3


def test_no_room() -> None:
    """The scheduler's words are told at once, without its attempts; it has failed when no room came in a minute."""
    fresh = told(pod(placed=condition("PodScheduled", "False", "Unschedulable", NO_ROOM, seconds=10)))
    assert fresh.state is State.PROGRESSING
    assert fresh.message.endswith("No node takes the pod: 0/1 nodes are available: 1 Insufficient cpu.")
    late = told(pod(placed=condition("PodScheduled", "False", "Unschedulable", NO_ROOM, seconds=61)))
    assert (late.state, late.reason, late.message) == (State.FAILED, "Unschedulable", fresh.message)


def claiming(placed: Object | None) -> Object:
    found = pod(placed=placed)
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}, {"name": "tmp", "emptyDir": {}}]
    if not placed:
        found["status"]["conditions"] = []
    return found | {"spec": {"volumes": volumes}}


@pytest.mark.parametrize("placed", [condition("PodScheduled", "False", "Unschedulable", "unbound claims"), None])
@pytest.mark.parametrize("reason", ["ProvisioningFailed", "FailedBinding"])
def test_a_claim_that_nothing_provides(placed: Object | None, reason: str) -> None:
    """The provisioner's words go before the scheduler's, also while the scheduler is silent."""
    claim = made("PersistentVolumeClaim", "data-0") | {"status": {"phase": "Pending"}}
    found = told(
        claiming(placed),
        claims=[claim],
        events=[event(claim, reason, 'storageclass "fast" not found')],
    )
    assert (found.state, found.reason) == (State.FAILED, reason)
    assert found.message.endswith('Nothing provides a volume for the claim data-0: storageclass "fast" not found')


def test_a_claim_that_waits_for_its_pod() -> None:
    """A claim that nobody has refused leaves the word to the scheduler."""
    claim = made("PersistentVolumeClaim", "data-0") | {"status": {"phase": "Pending"}}
    found = told(claiming(condition("PodScheduled", "False", "Unschedulable", NO_ROOM)), claims=[claim])
    assert found.reason == "Unschedulable"


def test_a_volume_that_cannot_be_mounted() -> None:
    """What keeps the kubelet from setting a pod up is told in its words, and has failed after a minute."""
    creating = container(waiting={"reason": "ContainerCreating"})
    for seconds, state in ((20, State.PROGRESSING), (90, State.FAILED)):
        broken = pod(None, creating, seconds=seconds)
        found = told(broken, events=[event(broken, "FailedMount", 'configmap "scripts" not found')])
        assert (found.state, found.reason) == (state, "FailedMount")
        assert 'configmap "scripts" not found' in found.message


def test_a_pod_that_does_not_get_ready() -> None:
    """The probe's words are told; it has failed after the time that a Deployment waits by default."""
    for seconds, state in ((60, State.PROGRESSING), (601, State.FAILED)):
        broken = pod(None, container(), phase="Running", seconds=seconds)
        found = told(broken, events=[event(broken, "Unhealthy", "Readiness probe failed: NOT_SERVING")])
        assert (found.state, found.reason) == (state, "NotReady")
        assert "Readiness probe failed: NOT_SERVING" in found.message


def test_events_of_the_past_are_no_reason() -> None:
    """Neither an old event counts, nor one of an object that had the same name before."""
    broken = pod(None, container(), phase="Running")
    before = made("Pod", "pod", uid="another")
    events = [event(broken, "Unhealthy", "failed", seconds=3600), event(before, "Unhealthy", "failed")]
    assert told(broken, events=events).reason == "RollingOut"


def test_nobody_is_asked_who_is_leaving() -> None:
    """The troubles of pods that are being ended, or have ended, are no reason."""
    waiting = container(waiting={"reason": "ImagePullBackOff", "message": NOT_FOUND})
    for broken in (pod(None, waiting, deletionTimestamp=ago(1)), pod(None, waiting, phase="Failed")):
        assert told(broken).reason == "RollingOut"


@pytest.mark.parametrize("broken", [{}, {"metadata": {}}, {"metadata": {}, "status": {"containerStatuses": [{}]}}])
def test_whatever_is_missing(broken: Object) -> None:
    """A pod that says next to nothing is on its way; nothing raises."""
    labelled = broken | {"metadata": {"labels": {"app": "order"}}}
    assert assess(deployment(**ROLLING), Related(NOW, [labelled])).state is State.PROGRESSING
