"""Health of an object: ready, progressing or failed, and the real reason.

The rules for "is it done" are kstatus' (the library behind kubectl-apply tools): the controller must have seen the
newest generation, and the kind's own status must say that it is complete. The rules for "why not" are in `pods`,
`claims`, `workloads` and `routes`. An object of a kind without a rule is judged by its conditions; one without
conditions is ready by being there.

- READY: the newest wish is rolled out and works. With another reason than "Ready" it is a warning.
- FAILED: it does not get there without a change or help. Said at once where that is certain, and otherwise when a
  deadline has passed; it is judged anew at every change, so help that comes is seen.
- PROGRESSING: everything between.

An object with the annotation `ecommerce.dev/optional` is one that its component serves without, such as what trains the
recommender: its failure is a warning, so that nobody is woken up, and nothing else waits, for a shop that sells.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from ecommerce_operator import claims, routes, workloads
from ecommerce_operator.model import OPTIONAL_ANNOTATION, Health, Object, Related, State
from ecommerce_operator.pods import logs_wanted
from ecommerce_operator.reading import age, at, conditions, holds, quote, seen_by_controller, since, title

__all__ = ["assess", "logs_wanted", "overall"]

READY: Final = Health(State.READY, "Ready")
# Other operators take minutes for a cluster of theirs; before that, not ready is on its way.
PATIENCE: Final = timedelta(minutes=10)
# An operator that is there writes some status within seconds.
ANSWER: Final = timedelta(minutes=1)

_ORDER: Final = (State.FAILED, State.PROGRESSING, State.READY)


def assess(obj: Object, related: Related) -> Health:
    """Answers how an object is, from what the API shows of it and of what is around it. Never raises.

    What is not simply ready has the object's kind and name before its message.
    """
    if at(obj, "metadata", "deletionTimestamp") is not None:
        found = Health(State.PROGRESSING, "Terminating", "It is being removed.")
    else:
        rule = _RULES.get((_group(obj), obj.get("kind", "")), _by_conditions)
        found = rule(obj, related)
        if not found.ready and at(obj, "metadata", "annotations", OPTIONAL_ANNOTATION) == "true":
            found = _dispensable(obj, found)
    return found if found == READY else replace(found, message=f"{title(obj)}: {found.message}")


def overall(healths: Iterable[Health]) -> Health:
    """Answers the health of a component from that of its objects: the worst, and the first of equals; ready if none.

    Among ready ones a warning goes before those without.
    """
    given = list(healths)
    for state in _ORDER:
        alike = [each for each in given if each.state is state]
        if alike:
            return next((each for each in alike if each.reason != READY.reason), alike[0])
    return READY


def _dispensable(obj: Object, found: Health) -> Health:
    """What failed, or was there once and comes back, is a warning; what is new is waited for."""
    rolled_out = (holds(obj, "Progressing") or {}).get("reason") == "NewReplicaSetAvailable"
    missed = found.state is State.FAILED or (rolled_out and seen_by_controller(obj))
    return replace(found, state=State.READY) if missed else found


def _group(obj: Object) -> str:
    group, slash, _ = str(obj.get("apiVersion", "")).partition("/")
    return group if slash else ""


def _by_conditions(obj: Object, related: Related) -> Health:
    """Any other kind: what its conditions say, by their usual names."""
    if not seen_by_controller(obj):
        return workloads.UNSEEN
    if stalled := holds(obj, "Stalled"):
        return Health(State.FAILED, stalled.get("reason") or "Stalled", quote(stalled.get("message")))
    unready = holds(obj, "Ready", "False") or holds(obj, "Ready", "Unknown") or holds(obj, "NotReady")
    if not unready:
        return READY
    late = since(unready.get("lastTransitionTime"), related.at) > PATIENCE
    told = quote(unready.get("message")) or "Its controller says that it is not ready."
    return Health(State.FAILED if late else State.PROGRESSING, unready.get("reason") or "NotReady", told)


def _managed(obj: Object, related: Related) -> Health:
    """A datastore that another operator runs: it must be there and say Ready."""
    if not conditions(obj):
        return _unanswered(obj, related)
    found = _by_conditions(obj, related)
    if found != READY or holds(obj, "Ready"):
        return found
    return Health(State.PROGRESSING, "NotReady", quote(at(obj, "status", "phase")) or "It does not say Ready yet.")


def _unanswered(obj: Object, related: Related) -> Health:
    if age(obj, related.at) < ANSWER:
        return Health(State.PROGRESSING, "Reconciling", "Its operator has not answered yet.")
    told = f"No operator has answered: is the one for {_group(obj)} in the cluster?"
    return Health(State.FAILED, "NoOperator", told)


def _elasticsearch(obj: Object, related: Related) -> Health:
    """Elastic Cloud on Kubernetes has a phase, and the cluster's colour; yellow answers everything."""
    phase = at(obj, "status", "phase")
    if phase is None:
        return _unanswered(obj, related)
    if not seen_by_controller(obj):
        return workloads.UNSEEN
    if phase == "Ready" and at(obj, "status", "health") in ("green", "yellow"):
        return READY
    failed = phase == "Invalid" or age(obj, related.at) > PATIENCE
    told = f"It is in phase {phase}, and its health is {at(obj, 'status', 'health', default='unknown')}."
    return Health(State.FAILED if failed else State.PROGRESSING, str(phase), told)


def _database(obj: Object, related: Related) -> Health:
    """CloudNativePG says of a database whether it was applied."""
    applied = at(obj, "status", "applied")
    if applied is None or not seen_by_controller(obj):
        return _unanswered(obj, related) if applied is None else workloads.UNSEEN
    if applied:
        return READY
    return Health(State.FAILED, "NotApplied", quote(at(obj, "status", "message")) or "It could not be made.")


_RULES: Final[Mapping[tuple[str, str], Callable[[Object, Related], Health]]] = {
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("batch", "Job"): workloads.job,
    ("", "PersistentVolumeClaim"): claims.assess,
    ("networking.k8s.io", "Ingress"): routes.ingress,
    ("gateway.networking.k8s.io", "HTTPRoute"): routes.http_route,
    ("autoscaling", "HorizontalPodAutoscaler"): routes.autoscaler,
    ("postgresql.cnpg.io", "Cluster"): _managed,
    ("postgresql.cnpg.io", "Database"): _database,
    ("kafka.strimzi.io", "Kafka"): _managed,
    ("elasticsearch.k8s.elastic.co", "Elasticsearch"): _elasticsearch,
}
