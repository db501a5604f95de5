"""Health of what runs pods: Deployments, StatefulSets and Jobs.

A workload is ready when its newest template is rolled out and every pod of it serves. A broken new image while the
pods of the version before still serve is therefore failed, not ready: what was asked for is not there. The message
says that the old pods serve, so that nobody takes it for an outage. Only pods of the newest template are asked for a
reason; those before it are on their way out, whatever they suffer from.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from ecommerce_operator import pods
from ecommerce_operator.model import Health, Object, Related, State
from ecommerce_operator.reading import (
    age,
    at,
    holds,
    newest_event,
    owned_by,
    quote,
    seen_by_controller,
    since,
)

READY: Final = Health(State.READY, "Ready")
UNSEEN: Final = Health(State.PROGRESSING, "Reconciling", "Its controller has not seen the newest change yet.")
# A migration that failed this often does so for a reason that stays, even if it is tried again.
FAILURES: Final = 3

_REVISION: Final = "deployment.kubernetes.io/revision"
_MADE: Final = frozenset({"FailedCreate", "SuccessfulCreate"})


def deployment(obj: Object, related: Related) -> Health:
    """Answers how a Deployment is (kstatus' rules, and the reasons of its newest pods)."""
    if not seen_by_controller(obj) or not at(obj, "status"):
        return UNSEEN
    wanted, status = at(obj, "spec", "replicas", default=1), obj["status"]
    updated, serving = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated >= wanted and status.get("replicas", 0) <= updated and serving >= wanted:
        return READY
    newest = _newest_pods(obj, related)
    found = _refused(obj) or _late(obj, pods.worst(newest, related))
    rolling = Health(State.PROGRESSING, "RollingOut", f"{min(serving, updated)} of {wanted} pods are ready.")
    return _while_serving(found or rolling, newest, serving)


def _newest_pods(obj: Object, related: Related) -> list[Object]:
    """Answers the pods of the newest template; of all templates where its ReplicaSet is not known."""
    revision = at(obj, "metadata", "annotations", _REVISION)
    for replica_set in related.replica_sets:
        if owned_by(replica_set, obj) and at(replica_set, "metadata", "annotations", _REVISION) == revision:
            return [pod for pod in related.pods if owned_by(pod, replica_set)]
    wanted = at(obj, "spec", "selector", "matchLabels", default={})
    return [pod for pod in related.pods if wanted.items() <= at(pod, "metadata", "labels", default={}).items()]


def _refused(obj: Object) -> Health | None:
    """Pods that cannot even be made: a quota, a policy, a ServiceAccount that is not there."""
    failure = holds(obj, "ReplicaFailure")
    if not failure:
        return None
    return Health(State.FAILED, failure.get("reason") or "FailedCreate", _no_pods(failure.get("message")))


def _no_pods(words: object) -> str:
    """Controllers put what they were doing before what they were told; the second part is the reason."""
    told = re.sub(r"^(Error creating: |create Pod \S+ in StatefulSet \S+ failed error: )", "", str(words or ""))
    return f"Pods cannot be made: {quote(told) or 'no reason given'}"


def _late(obj: Object, found: Health | None) -> Health | None:
    """Past the Deployment's own deadline, what was on its way has failed."""
    progressing = holds(obj, "Progressing", "False")
    if not progressing or progressing.get("reason") != "ProgressDeadlineExceeded":
        return found
    if found:
        return replace(found, state=State.FAILED)
    seconds = at(obj, "spec", "progressDeadlineSeconds", default=600)
    told = f"The rollout has not come further for {seconds} seconds."
    return Health(State.FAILED, "ProgressDeadlineExceeded", told)


def _while_serving(found: Health, newest: Sequence[Object], serving: int) -> Health:
    if found.state is not State.FAILED or serving <= sum(map(pods.is_ready, newest)):
        return found
    return replace(found, message=f"{found.message} (Pods of the version before still serve.)")


def stateful_set(obj: Object, related: Related) -> Health:
    """Answers how a StatefulSet is; that its pods cannot be made is told by events only."""
    if not seen_by_controller(obj) or not at(obj, "status"):
        return UNSEEN
    wanted, status = at(obj, "spec", "replicas", default=1), obj["status"]
    ready, made = status.get("readyReplicas", 0), status.get("replicas", 0)
    revisions = status.get("currentRevision"), status.get("updateRevision")
    rolled_out = revisions[0] == revisions[1] or status.get("updatedReplicas", 0) >= wanted
    if ready >= wanted and made == wanted and rolled_out:
        return READY
    if made < wanted and (refused := _refused_by_event(obj, related)):
        return refused
    mine = [pod for pod in related.pods if owned_by(pod, obj)]
    found = _of_revision(mine, revisions[1], related)
    return found or Health(State.PROGRESSING, "RollingOut", f"{ready} of {wanted} pods are ready.")


def _of_revision(mine: list[Object], newest: str | None, related: Related) -> Health | None:
    """The newest template's pods are asked first; an older one that is broken is about to be replaced."""
    label = "controller-revision-hash"
    updated = [pod for pod in mine if at(pod, "metadata", "labels", label, default=newest) == newest]
    if found := pods.worst(updated, related):
        return found
    older = [pod for pod in mine if pod not in updated]
    found = pods.worst(older, related)
    stuck = any(_unready_since(pod, related.at) for pod in older)
    return replace(found, state=State.FAILED if stuck else State.PROGRESSING) if found else None


def _unready_since(pod: Object, now: datetime) -> bool:
    unready = holds(pod, "Ready", "False")
    return unready is not None and since(unready.get("lastTransitionTime"), now) > pods.PATIENCE


def _refused_by_event(obj: Object, related: Related) -> Health | None:
    event = newest_event(related.events, obj, _MADE, related.at)
    if not event or event["reason"] != "FailedCreate":
        return None
    return Health(State.FAILED, "FailedCreate", _no_pods(event.get("message")))


def job(obj: Object, related: Related) -> Health:
    """Answers how a Job is: ready when it has completed."""
    if holds(obj, "Complete") or holds(obj, "SuccessCriteriaMet"):
        return READY
    mine = [pod for pod in related.pods if owned_by(pod, obj)]
    line = _last_words(mine, related)
    if failed := holds(obj, "Failed") or holds(obj, "FailureTarget"):
        told = quote(failed.get("message")) or "It failed."
        return Health(
            State.FAILED, failed.get("reason") or "JobFailed", f"{told} Its last line: {line}" if line else told
        )
    if not mine and (refused := _refused_by_event(obj, related)):
        return refused
    if at(obj, "spec", "suspend"):
        return Health(State.PROGRESSING, "Suspended", "The Job is suspended.")
    return _running(obj, mine, line, related)


def _running(obj: Object, mine: list[Object], line: str, related: Related) -> Health:
    failures = at(obj, "status", "failed", default=0)
    if failures and line:
        state = State.FAILED if failures >= FAILURES else State.PROGRESSING
        return Health(state, "Retrying", f"It failed and is tried again. Its last line: {line}")
    found = pods.worst(mine, related)
    late = age(obj, related.at) > pods.PATIENCE
    running = Health(State.FAILED if late else State.PROGRESSING, "Running", "It has not ended yet.")
    return found or running


def _last_words(mine: Sequence[Object], related: Related) -> str:
    """The last line of the pod that failed last."""
    newest = sorted(mine, key=lambda pod: at(pod, "metadata", "creationTimestamp", default=""), reverse=True)
    for pod in newest:
        for status in at(pod, "status", "containerStatuses", default=()):
            ended = at(status, "state", "terminated") or at(status, "lastState", "terminated", default={})
            if ended.get("exitCode") and (line := pods.last_line(pod, status, related)):
                return line
    return ""
