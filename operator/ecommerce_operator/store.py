"""What the watches have seen of the platforms' objects: the operator's only picture of the cluster.

A reconcile reads from here and so costs no request when nothing has changed. Whole objects are kept only of kinds whose
status matters; of the others (Secrets among them) it is the metadata. What the operator writes itself is put in at
once, and an event that is older than what is known is dropped, so that the operator never takes its own write for
missing because the watch is a moment behind.

`ownership` is what tells drift from everything else: a digest of the fields that the API server holds this operator to
own (`metadata.managedFields`). Whoever changes or removes one of them takes it out of that set; a controller that
writes a status or adds fields of its own does not.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ecommerce_operator.kinds import Key, Kind
from ecommerce_operator.model import COMPONENT_LABEL, PLATFORM_LABEL

FIELD_MANAGER: Final = "ecommerce-operator"

Wake = Callable[[str, str], None]  # namespace, platform


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it was last seen; `body` is empty for kinds of which only the metadata is kept."""

    key: Key
    uid: str
    version: int
    ownership: str
    platform: str
    component: str
    deleting: bool
    owners: frozenset[str]
    annotations: Mapping[str, str]
    body: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, kind: Kind, obj: Mapping[str, Any]) -> "Seen":
        """Answers what is kept of an object that the API answered."""
        meta = obj["metadata"]
        labels = meta.get("labels") or {}
        return cls(
            key=Key(kind, meta["namespace"], meta["name"]),
            uid=meta["uid"],
            version=int(meta["resourceVersion"]),
            ownership=_ownership(meta),
            platform=labels.get(PLATFORM_LABEL, ""),
            component=labels.get(COMPONENT_LABEL, ""),
            deleting="deletionTimestamp" in meta,
            owners=frozenset(owner["uid"] for owner in meta.get("ownerReferences") or ()),
            annotations=meta.get("annotations") or {},
            body=_body(kind, obj) if kind.whole else {},
        )


class Store:
    """All that is seen, by platform; `wake` is called with each platform of which something has changed."""

    def __init__(self, wake: Wake) -> None:
        self._platforms: dict[tuple[str, str], dict[Key, Seen]] = defaultdict(dict)
        self._labelled: dict[Key, str] = {}
        self._wake = wake

    def put(self, seen: Seen, *, quietly: bool = False) -> None:
        """Takes a newer sight of an object; an older one than is known is dropped."""
        known = self._known(seen.key)
        if known and known.version >= seen.version:
            return
        if known and known.platform != seen.platform:
            self._drop(known)
        self._platforms[seen.key.namespace, seen.platform][seen.key] = seen
        self._labelled[seen.key] = seen.platform
        if not quietly:
            self._wake(seen.key.namespace, seen.platform)

    def remove(self, seen: Seen) -> None:
        """Forgets an object that is gone, or has no label of ours any more."""
        known = self._known(seen.key)
        if known and known.version <= seen.version:
            self._drop(known)

    def replace(self, kind: Kind, namespace: str | None, listed: Iterable[Seen], version: int) -> None:
        """Takes a fresh list of a kind: what is older than the list and not in it is gone."""
        present = set()
        for seen in listed:
            present.add(seen.key)
            self.put(seen)
        for key in [key for key in self._labelled if key.kind is kind and namespace in (None, key.namespace)]:
            known = self._known(key)
            if key not in present and known and known.version <= version:
                self._drop(known)

    def get(self, key: Key, platform: str) -> Seen | None:
        """Answers what is known of an object that carries the platform's label."""
        known = self._known(key)
        return known if known and known.platform == platform else None

    def of_platform(self, namespace: str, platform: str) -> list[Seen]:
        """Answers all that carries the platform's label."""
        return list(self._platforms.get((namespace, platform), {}).values())

    def everything(self) -> list[Seen]:
        """Answers all that is seen, of whatever platform."""
        return [seen for objects in self._platforms.values() for seen in objects.values()]

    def _known(self, key: Key) -> Seen | None:
        platform = self._labelled.get(key)
        return None if platform is None else self._platforms[key.namespace, platform][key]

    def _drop(self, seen: Seen) -> None:
        place = seen.key.namespace, seen.platform
        del self._labelled[seen.key]
        del self._platforms[place][seen.key]
        if not self._platforms[place]:
            del self._platforms[place]
        self._wake(*place)


def _ownership(meta: Mapping[str, Any]) -> str:
    fields = [
        entry.get("fieldsV1")
        for entry in meta.get("managedFields") or ()
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
    ]
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16] if fields else ""


def _body(kind: Kind, obj: Mapping[str, Any]) -> dict[str, Any]:
    """Answers the object without what nobody reads; lists leave the kind out of their items."""
    meta = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "apiVersion": kind.api_version, "kind": kind.name, "metadata": meta}
