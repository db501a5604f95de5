"""Why a pod is not ready: the scheduler's, the registry's, the kubelet's or the program's own words.

Failed at once is what nobody but a person mends: an image that is not there, a Secret that is missing, a claim that
nothing can provide. Failed after a while is what time may mend: an unreachable registry, a full cluster that may get
another node, a program that ends because what it needs is still starting. All of it is judged anew at every change, so
failed is never the last word.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from ecommerce_operator import claims
from ecommerce_operator.model import Health, Log, Object, Related, State
from ecommerce_operator.reading import age, at, condition, holds, moment, newest_event, plain_log_line, quote, since

# Another node, or the end of a pod that is just leaving, may still make room for it.
ROOM: Final = timedelta(seconds=60)
# What the kubelet tries again by itself within seconds: a Secret that was made a moment later, a busy runtime.
RETRIES: Final = timedelta(seconds=60)
# As long as a Deployment has by default (progressDeadlineSeconds).
PATIENCE: Final = timedelta(minutes=10)
# A program may end once or twice because what it needs is still starting; with the kubelet's pauses of 10 and 20
# seconds the third time is after more than half a minute.
CRASHES: Final = 3
# The longest pause of the kubelet between two runs is 5 minutes: within it and a run's time, a crash is still news.
LATELY: Final = timedelta(minutes=6)
# Logs that are read for one component at a time.
MOST_LOGS: Final = 3

_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
    | {"RegistryUnavailable", "SignatureValidationFailed"}
)
_CONTAINER: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PostStartHookError"}
)
_START: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox"})
# Words of a registry that does not answer now, as opposed to one that answers "no".
_UNREACHABLE: Final = re.compile(
    r"timeout|timed out|deadline exceeded|connection (refused|reset)|no such host|temporar|TLS handshake|EOF"
    r"|too many requests|toomanyrequests|server misbehaving|\b(429|50[0-4])\b|network is unreachable|no route to host",
    re.IGNORECASE,
)


def leaving(pod: Object) -> bool:
    """Whether it is being ended, or has ended: its troubles are no longer anybody's."""
    ended = at(pod, "status", "phase") in ("Succeeded", "Failed")
    return ended or at(pod, "metadata", "deletionTimestamp") is not None


def is_ready(pod: Object) -> bool:
    """Whether it serves."""
    return not leaving(pod) and holds(pod, "Ready") is not None


def worst(pods: Iterable[Object], related: Related) -> Health | None:
    """Answers the worst of the pods' troubles; None where none has any."""
    troubles = [found for pod in pods if not leaving(pod) and (found := trouble(pod, related))]
    failed = [found for found in troubles if found.state is State.FAILED]
    return next(iter(failed or troubles), None)


def trouble(pod: Object, related: Related) -> Health | None:
    """Answers why a pod that should be ready is not: None where it is, or where it is just starting."""
    if is_ready(pod):
        return None
    return _placing(pod, related) or next(_of_containers(pod, related), None) or _waiting_long(pod, related)


def _placing(pod: Object, related: Related) -> Health | None:
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled.get("status") == "True":
        return None
    # While a volume is made for the place that was chosen, the scheduler says nothing at all.
    if (claim := claims.trouble_of(pod, related)) or not scheduled:
        return claim
    # What the scheduler tried to make room says nothing more.
    words = quote(scheduled.get("message")).partition(" preemption:")[0]
    patient = since(scheduled.get("lastTransitionTime"), related.at) < ROOM
    reason = scheduled.get("reason") or "Unschedulable"
    return Health(State.PROGRESSING if patient else State.FAILED, reason, f"No node takes the pod: {words}")


def _of_containers(pod: Object, related: Related) -> Iterator[Health]:
    for status in _statuses(pod):
        waiting = at(status, "state", "waiting", default={})
        reason = waiting.get("reason", "")
        if reason in _IMAGE:
            yield _image(pod, status, waiting, related)
        elif reason in _CONTAINER:
            yield _container(pod, status, waiting, related)
        elif crashed := _crash(pod, status, related):
            yield crashed


def _statuses(pod: Object) -> Iterator[dict[str, Any]]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        yield from at(pod, "status", kind, default=())


def _image(pod: Object, status: Object, waiting: Object, related: Related) -> Health:
    """The kubelet alternates between trying and waiting: both are told alike, so that a status does not flicker."""
    image, words = status.get("image", ""), str(waiting.get("message") or "")
    words = words.partition("ErrImagePull: ")[2] or ("" if words.startswith("Back-off pulling") else words)
    words = re.sub(r"rpc error: code = \w+ desc = ", "", words) or _failed_pull(pod, related)
    passing = waiting["reason"] == "RegistryUnavailable" or _UNREACHABLE.search(words)
    patient = passing and age(pod, related.at) < PATIENCE
    reason = "ImagePullBackOff" if waiting["reason"] == "ErrImagePull" else str(waiting["reason"])
    told = f"The image {image} cannot be pulled: {quote(words)}" if words else f"The image {image} cannot be pulled."
    return Health(State.PROGRESSING if patient else State.FAILED, reason, told)


def _failed_pull(pod: Object, related: Related) -> str:
    """Older kubelets tell why in an event only."""
    event = newest_event(related.events, {"kind": "Pod", **pod}, frozenset({"Failed"}), related.at)
    return re.sub(r"rpc error: code = \w+ desc = ", "", str(event.get("message") or "")) if event else ""


def _container(pod: Object, status: Object, waiting: Object, related: Related) -> Health:
    # A missing Secret or key comes back only if somebody brings it; other troubles of a runtime may pass.
    lasting = waiting["reason"] in ("CreateContainerConfigError", "RunContainerError")
    patient = not lasting and age(pod, related.at) < RETRIES
    told = f"The container {status.get('name')} cannot be started: {quote(waiting.get('message')) or 'no reason given'}"
    return Health(State.PROGRESSING if patient else State.FAILED, str(waiting["reason"]), told)


def _crash(pod: Object, status: Object, related: Related) -> Health | None:
    if not (last := _ending(status, related)):
        return None
    reason = "OOMKilled" if last.get("reason") == "OOMKilled" else "CrashLoopBackOff"
    code = last.get("exitCode")
    told = f"The container {status.get('name')} ends with exit code {code}"
    if reason == "OOMKilled":
        told += ", because it took more than its memory limit"
    line = last_line(pod, status, related)
    again = status.get("restartCount", 0) >= CRASHES and not _ran_well(last)
    return Health(State.FAILED if again else State.PROGRESSING, reason, f"{told}: {line}" if line else f"{told}.")


def _ran_well(last: Object) -> bool:
    """Whether a run was so long that its end is a new story: the kubelet counts its pauses from the start then, too."""
    started, finished = moment(last.get("startedAt")), moment(last.get("finishedAt"))
    return bool(started and finished and finished - started >= PATIENCE)


def _ending(status: Object, related: Related) -> dict[str, Any] | None:
    """Answers how a container ended that is not well since: it waits for its next run, or has only just begun it."""
    if status.get("ready"):
        return None
    now: dict[str, Any] | None = at(status, "state", "terminated")
    if now:
        return now if now.get("exitCode") else None
    before: dict[str, Any] | None = at(status, "lastState", "terminated")
    waits = at(status, "state", "waiting", "reason") == "CrashLoopBackOff"
    if before and (waits or since(before.get("finishedAt"), related.at) < LATELY):
        return before
    return None


def last_line(pod: Object, status: Object, related: Related) -> str:
    """Answers the last thing that a container said before it ended; empty where nobody knows."""
    log = _log(pod, status)
    message = at(status, "state" if not log.previous else "lastState", "terminated", "message", default="")
    return plain_log_line(related.logs.get(log) or message.strip().rpartition("\n")[2])


def logs_wanted(pods: Iterable[Object]) -> tuple[Log, ...]:
    """Answers whose last line would be quoted: containers that ended in an error, at most a few."""
    found = []
    for pod in pods:
        if at(pod, "metadata", "deletionTimestamp") is not None:
            continue
        for status in _statuses(pod):
            ended = at(status, "state", "terminated") or at(status, "lastState", "terminated")
            if ended and ended.get("exitCode") and not status.get("ready"):
                found.append(_log(pod, status))
    return tuple(found[:MOST_LOGS])


def _log(pod: Object, status: Object) -> Log:
    over = at(status, "state", "terminated") is not None
    return Log(at(pod, "metadata", "name", default=""), status.get("name", ""), previous=not over)


def _waiting_long(pod: Object, related: Related) -> Health | None:
    """A pod without any other trouble: it cannot be set up, or it runs and is not ready."""
    known = {"kind": "Pod", **pod}
    if event := newest_event(related.events, known, _START, related.at) if not _runs(pod) else None:
        patient = age(pod, related.at) < RETRIES
        told = f"The pod cannot be set up: {quote(event.get('message'))}"
        return Health(State.PROGRESSING if patient else State.FAILED, str(event["reason"]), told)
    unready = condition(pod, "Ready") or {}
    patient = (
        since(unready.get("lastTransitionTime") or at(pod, "metadata", "creationTimestamp"), related.at) < PATIENCE
    )
    probe = newest_event(related.events, known, frozenset({"Unhealthy"}), related.at)
    if patient and not probe:
        return None
    words = quote(probe.get("message")) if probe else quote(unready.get("message")) or "its containers are not ready"
    return Health(State.PROGRESSING if patient else State.FAILED, "NotReady", f"A pod is not ready: {words}")


def _runs(pod: Object) -> bool:
    return any(at(status, "state", "running") for status in _statuses(pod))
