"""Health of what leads to pods or steers them: Ingress, HTTPRoute, HorizontalPodAutoscaler."""

from datetime import timedelta
from typing import Final

from ecommerce_operator.model import Health, Object, Related, State
from ecommerce_operator.reading import age, at, conditions, holds, quote

READY: Final = Health(State.READY, "Ready")
# Controllers answer within a second or two; this leaves them the time to be restarted.
ANSWER: Final = timedelta(seconds=30)


def ingress(obj: Object, related: Related) -> Health:
    """Answers how an Ingress is: ready with an address; without one after a while, too, but with a warning.

    Not every controller writes an address, so its absence is no proof that nobody answers.
    """
    if at(obj, "status", "loadBalancer", "ingress"):
        return READY
    if age(obj, related.at) < ANSWER:
        return Health(State.PROGRESSING, "AddressPending", "No ingress controller has given it an address yet.")
    named = at(obj, "spec", "ingressClassName")
    told = f"of the class {named}" if named else "of a default class, since none is named,"
    return Health(
        State.READY, "NoAddress", f"No ingress controller has given it an address: is there one {told} in the cluster?"
    )


def http_route(obj: Object, related: Related) -> Health:
    """Answers how an HTTPRoute is: ready when every Gateway it names has accepted it and found its backends."""
    parents = at(obj, "status", "parents", default=())
    generation = at(obj, "metadata", "generation", default=0)
    if len(parents) < len(at(obj, "spec", "parentRefs", default=())):
        return _unanswered(obj, related)
    for parent in parents:
        answered = {"status": parent}
        if any(each.get("observedGeneration", generation) < generation for each in conditions(answered)):
            return _unanswered(obj, related)
        for kind in ("Accepted", "ResolvedRefs"):
            if refused := holds(answered, kind, "False"):
                name = at(parent, "parentRef", "name", default="")
                told = f"The Gateway {name} does not take it: {quote(refused.get('message'))}"
                return Health(State.FAILED, refused.get("reason") or "NotAccepted", told)
        if not holds(answered, "Accepted"):
            return _unanswered(obj, related)
    return READY


def _unanswered(obj: Object, related: Related) -> Health:
    if age(obj, related.at) < ANSWER:
        return Health(State.PROGRESSING, "Reconciling", "No Gateway has answered yet.")
    names = ", ".join(each.get("name", "") for each in at(obj, "spec", "parentRefs", default=()))
    return Health(
        State.FAILED, "NoGateway", f"No Gateway has answered: is there a Gateway {names} with a controller behind it?"
    )


def autoscaler(obj: Object, _related: Related) -> Health:
    """Answers how a HorizontalPodAutoscaler is: never worse than a warning, because the pods serve without it."""
    for kind in ("AbleToScale", "ScalingActive"):
        failing = holds(obj, kind, "False")
        # In its first moments, and while there are no pods, there is nothing to measure.
        if failing and failing.get("reason") != "ScalingDisabled" and at(obj, "status", "currentReplicas"):
            reason = failing.get("reason") or kind
            return Health(State.READY, reason, f"It does not scale: {quote(failing.get('message'))}")
    return READY
