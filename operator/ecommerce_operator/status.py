"""From what was observed to the status that people and programs read.

Three conditions, as kstatus and `kubectl wait` understand them:

- Ready: the observed generation is rolled out and every component works. A component that still serves with the pods
  of the version before is not ready: what was asked for is not there yet.
- Reconciling: something is on its way and within its deadline.
- Stalled: something does not get there without a change or help. The operator goes on trying all the same.

Reconciling and Stalled can both be true: one component has failed while another one is still on its way. Everything is
a function of what was observed, and times are kept as long as what they belong to is the same. So nothing new observed
is nothing to write.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ecommerce_operator.model import Health, Object, Observation, State
from ecommerce_operator.reading import at
from ecommerce_operator.spec import Platform

# Components whose reason is told in full; the others have their own lines.
MOST_REASONS: Final = 3


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A condition's status, its reason and message."""

    holds: bool
    reason: str
    message: str


_NOTHING: Final = _Verdict(holds=False, reason="AsExpected", message="")


def status(  # noqa: PLR0913 each is one thing that was observed
    platform: Platform,
    previous: Mapping[str, Any],
    observations: Sequence[Observation],
    now: datetime,
    *,
    version: str,
    address: str = "",
    trouble: Health | None = None,
) -> dict[str, Any]:
    """Answers the whole new status; the equal dict when nothing but the time has changed.

    `version` is what the platform as a whole is asked to run, `address` what `address_of` found (empty: none yet).
    `trouble` is what keeps the operator from its work as a whole (a chart that cannot be rendered, an API error).
    """
    ready = sum(map(_works, observations))
    verdicts = {
        "Ready": _ready(platform, observations, trouble),
        "Reconciling": _reconciling(platform, observations, trouble),
        "Stalled": _stalled(observations, trouble),
    }
    conditions = _conditions(verdicts, platform.generation, previous, now)
    if platform.deleting and not observations:
        # What was there is taken down piece by piece; its lines say what it was until the resource itself goes.
        return {**previous, "observedGeneration": platform.generation, "conditions": conditions}
    return {
        "observedGeneration": platform.generation,
        "version": version,
        "url": _url(platform, address),
        "componentsReady": f"{ready}/{len(observations)}",
        "conditions": conditions,
        "components": [_line(seen, previous, now) for seen in observations],
    }


def invalid(body: Object, previous: Mapping[str, Any], sentence: str, now: datetime) -> dict[str, Any]:
    """Answers the status of a resource that cannot be understood: Stalled, with the sentence; the rest as it was."""
    generation = at(body, "metadata", "generation", default=1)
    verdicts = {
        "Ready": _Verdict(holds=False, reason="InvalidSpec", message=sentence),
        "Reconciling": _NOTHING,
        "Stalled": _Verdict(holds=True, reason="InvalidSpec", message=sentence),
    }
    conditions = _conditions(verdicts, generation, previous, now)
    return {**previous, "observedGeneration": generation, "conditions": conditions}


def address_of(obj: Object) -> str:
    """Answers the host name or IP that an Ingress or a Gateway is reached at; empty while it has none."""
    for answer in at(obj, "status", "loadBalancer", "ingress", default=()):
        return str(answer.get("hostname") or answer.get("ip") or "")
    for answer in at(obj, "status", "addresses", default=()):
        return str(answer.get("value") or "")
    return ""


def _works(seen: Observation) -> bool:
    return seen.health.ready and not seen.pending


def _told(seen: Observation) -> tuple[str, str]:
    """Answers reason and message of one component."""
    if seen.paused and seen.pending:
        return "Paused", "Paused: its change waits."
    return seen.health.reason, seen.health.message or ("Paused." if seen.paused else "")


def _ready(platform: Platform, observations: Sequence[Observation], trouble: Health | None) -> _Verdict:
    if platform.deleting:
        return _Verdict(holds=False, reason="Deleting", message=trouble.message if trouble else "It is being deleted.")
    if trouble:
        return _Verdict(holds=False, reason=trouble.reason, message=trouble.message)
    missing = _by_state(observations, State.FAILED) or [seen for seen in observations if not _works(seen)]
    if not missing:
        return _Verdict(holds=True, reason="Ready", message=_all_ready(platform, observations))
    return _Verdict(holds=False, reason=_reason(missing), message=_reasons(missing))


def _reason(missing: Sequence[Observation]) -> str:
    """The reason of what has failed; of what is on its way only that it is, since its lines tell the rest."""
    if missing[0].health.state is State.FAILED:
        return missing[0].health.reason
    return "Paused" if all(seen.paused for seen in missing) else "Progressing"


def _all_ready(platform: Platform, observations: Sequence[Observation]) -> str:
    told = [f"All {len(observations)} components are ready."]
    told += [f"{seen.component}: {seen.health.message}" for seen in observations if seen.health.reason != "Ready"]
    if platform.spec.paused:
        told.append("Paused: nothing is changed or repaired.")
    return " ".join(told)


def _reasons(missing: Sequence[Observation]) -> str:
    # Who waits for another one has nothing to say that the other one does not.
    first = sorted(missing, key=lambda seen: seen.pending)
    told = [f"{seen.component}: {_told(seen)[1] or _told(seen)[0]}" for seen in first[:MOST_REASONS]]
    rest = [seen.component for seen in first[MOST_REASONS:]]
    return " ".join(told) + (f" Also: {', '.join(rest)}." if rest else "")


def _reconciling(platform: Platform, observations: Sequence[Observation], trouble: Health | None) -> _Verdict:
    if platform.deleting:
        return _Verdict(holds=True, reason="Deleting", message="")
    moving = [seen for seen in _by_state(observations, State.PROGRESSING) if not (seen.paused and seen.pending)]
    if moving or (trouble and trouble.state is State.PROGRESSING):
        names = ", ".join(seen.component for seen in moving)
        return _Verdict(holds=True, reason="Progressing", message=f"On the way: {names}." if names else "")
    return _Verdict(holds=False, reason="Paused", message="") if platform.spec.paused else _NOTHING


def _stalled(observations: Sequence[Observation], trouble: Health | None) -> _Verdict:
    if trouble and trouble.state is State.FAILED:
        return _Verdict(holds=True, reason=trouble.reason, message=trouble.message)
    failed = _by_state(observations, State.FAILED)
    return _Verdict(holds=True, reason=_reason(failed), message=_reasons(failed)) if failed else _NOTHING


def _by_state(observations: Sequence[Observation], state: State) -> list[Observation]:
    return [seen for seen in observations if seen.health.state is state]


def _conditions(
    verdicts: Mapping[str, _Verdict], generation: int, previous: Mapping[str, Any], now: datetime
) -> list[dict[str, Any]]:
    before = {each["type"]: each for each in previous.get("conditions") or ()}
    made = []
    for kind, verdict in verdicts.items():
        value, old = str(verdict.holds), before.get(kind, {})
        made.append(
            {
                "type": kind,
                "status": value,
                "observedGeneration": generation,
                "reason": verdict.reason,
                "message": verdict.message,
                "lastTransitionTime": old["lastTransitionTime"] if old.get("status") == value else _text(now),
            }
        )
    return made


def _line(seen: Observation, previous: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    before = {each["name"]: each for each in previous.get("components") or ()}.get(seen.component, {})
    ready, (reason, message) = _works(seen), _told(seen)
    return {
        "name": seen.component,
        "ready": ready,
        "reason": reason,
        "message": message,
        "version": seen.version,
        "lastTransitionTime": before["lastTransitionTime"] if before.get("ready") is ready else _text(now),
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _url(platform: Platform, address: str) -> str:
    """Answers where GraphQL is answered; empty while nobody knows."""
    ingress = platform.spec.ingress
    host = "" if ingress.type == "None" else ingress.host or _bracketed(address)
    return f"{'https' if ingress.secure else 'http'}://{host}/graphql" if host else ""


def _bracketed(address: str) -> str:
    try:
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address
