"""Reads what concerns health out of plain objects: conditions, ages, owners and events.

Nothing here raises for what is missing: objects come from other controllers, and from older versions of them.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ecommerce_operator.model import Object

# What is cut off says no more to a person; a status has to stay small.
LONGEST_QUOTE: Final = 400
# Controllers that try again wait longer each time, a quarter of an hour at most; an older event is about the past.
FRESH: Final = timedelta(minutes=20)


def at(obj: Object, *path: str, default: Any = None) -> Any:
    """Answers what is at a path, and the default where a part of it is missing or null."""
    found: Any = obj
    for key in path:
        if not isinstance(found, dict) or found.get(key) is None:
            return default
        found = found[key]
    return found


def title(obj: Object) -> str:
    """Answers what a person calls it: its kind and name."""
    return f"{obj.get('kind', 'Object')} {at(obj, 'metadata', 'name', default='')}"


def conditions(obj: Object) -> Sequence[Object]:
    """Answers its conditions."""
    found: Sequence[Object] = at(obj, "status", "conditions", default=())
    return found


def condition(obj: Object, kind: str) -> Object | None:
    """Answers a condition by its type."""
    return next((each for each in conditions(obj) if each.get("type") == kind), None)


def holds(obj: Object, kind: str, status: str = "True") -> Object | None:
    """Answers a condition by its type if it has that status."""
    found = condition(obj, kind)
    return found if found and found.get("status") == status else None


def moment(text: Any) -> datetime | None:
    """Answers a time as the API writes it."""
    try:
        read = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def since(text: Any, now: datetime) -> timedelta:
    """Answers how long ago that was; nothing where it is unknown, so that a deadline never starts in the past."""
    read = moment(text)
    return now - read if read else timedelta(0)


def age(obj: Object, now: datetime) -> timedelta:
    """Answers how long it has existed."""
    return since(at(obj, "metadata", "creationTimestamp"), now)


def seen_by_controller(obj: Object) -> bool:
    """Whether its status is about its newest generation, as far as it tells that at all."""
    generation, observed = at(obj, "metadata", "generation"), at(obj, "status", "observedGeneration")
    return generation is None or observed is None or observed >= generation


def owned_by(obj: Object, owner: Object) -> bool:
    """Whether the other object controls it."""
    uid = at(owner, "metadata", "uid")
    owners = at(obj, "metadata", "ownerReferences", default=())
    return any(each.get("controller") and each.get("uid") == uid for each in owners)


def happened(event: Object) -> datetime | None:
    """Answers when an event was last seen."""
    times = (
        at(event, "series", "lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        at(event, "metadata", "creationTimestamp"),
    )
    return next((read for read in map(moment, times) if read), None)


def newest_event(events: Iterable[Object], about: Object, reasons: frozenset[str], now: datetime) -> Object | None:
    """Answers the newest fresh event of an object among those with one of the reasons."""
    mine = [
        (when, event)
        for event in events
        if event.get("reason") in reasons
        and _concerns(event, about)
        and (when := happened(event)) is not None
        and now - when < FRESH
    ]
    return max(mine, key=lambda pair: pair[0])[1] if mine else None


def _concerns(event: Object, about: Object) -> bool:
    named: dict[str, Any] = event.get("involvedObject") or {}
    uid, wanted = named.get("uid"), at(about, "metadata", "uid")
    # An object of the same name may have been there before.
    same = uid == wanted if uid and wanted else named.get("name") == at(about, "metadata", "name")
    return bool(same) and named.get("kind") == about.get("kind", named.get("kind"))


def quote(text: Any) -> str:
    """Answers words of others as one line of bounded length."""
    line = " ".join(str(text or "").split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}…"


def plain_log_line(line: str) -> str:
    """Answers a log line as a person would tell it: of a structured one, the event and its error."""
    try:
        entry = json.loads(line)
    except ValueError:
        return quote(line)
    if not isinstance(entry, dict):
        return quote(line)
    told = entry.get("event") or entry.get("message") or entry.get("msg") or line
    error = entry.get("error") or _last_exception(entry.get("exception"))
    return quote(f"{told}: {error}" if error else told)


def _last_exception(given: Any) -> str:
    """The structured form is a list of what was raised, the last one to leave first."""
    if isinstance(given, list) and given and isinstance(given[0], dict):
        return f"{given[0].get('exc_type', '')}: {given[0].get('exc_value', '')}".strip(": ")
    return str(given).strip().rpartition("\n")[2] if given else ""
