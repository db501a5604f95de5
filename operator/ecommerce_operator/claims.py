"""Why a volume claim is not bound, in the provisioner's words."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from ecommerce_operator.model import Health, Object, Related, State
from ecommerce_operator.reading import age, at, holds, newest_event, quote

# Clouds take a minute or two for a volume.
PATIENCE: Final = timedelta(minutes=5)

_REFUSED: Final = frozenset({"ProvisioningFailed", "FailedBinding"})
_RESIZE_FAILED: Final = frozenset({"VolumeResizeFailed", "FileSystemResizeFailed"})


def assess(claim: Object, related: Related) -> Health:
    """Answers how a claim is; one that waits for its first pod is on its way."""
    name, phase = at(claim, "metadata", "name", default=""), at(claim, "status", "phase")
    if phase == "Bound":
        return _growth(claim, related) or Health(State.READY, "Ready")
    if phase == "Lost":
        return Health(State.FAILED, "ClaimLost", f"The volume of the claim {name} is gone.")
    known = {"kind": "PersistentVolumeClaim", **claim}
    if event := newest_event(related.events, known, _REFUSED, related.at):
        told = f"Nothing provides a volume for the claim {name}: {quote(event.get('message'))}"
        return Health(State.FAILED, str(event["reason"]), told)
    late = age(claim, related.at) > PATIENCE
    return Health(State.FAILED if late else State.PROGRESSING, "ClaimPending", f"The claim {name} waits for a volume.")


def _growth(claim: Object, related: Related) -> Health | None:
    """A claim that is to grow works all the time; that it cannot is a warning."""
    if not holds(claim, "Resizing") and not holds(claim, "FileSystemResizePending"):
        return None
    event = newest_event(related.events, {"kind": "PersistentVolumeClaim", **claim}, _RESIZE_FAILED, related.at)
    if not event:
        return None
    name = at(claim, "metadata", "name", default="")
    return Health(State.READY, str(event["reason"]), f"The claim {name} does not grow: {quote(event.get('message'))}")


def trouble_of(pod: Object, related: Related) -> Health | None:
    """Answers the worst trouble of the claims that a pod waits for; None where all are bound."""
    names = set(_names(pod))
    waiting = [assess(claim, related) for claim in related.claims if at(claim, "metadata", "name") in names]
    failed = [found for found in waiting if found.state is State.FAILED]
    # While a claim only waits, the scheduler may have the better reason: it can be waiting for a place itself.
    return failed[0] if failed else None


def _names(pod: Object) -> Iterator[str]:
    for volume in at(pod, "spec", "volumes", default=()):
        if name := at(volume, "persistentVolumeClaim", "claimName"):
            yield name
