"""What the operator has made for each component, recorded before it is made.

A ConfigMap beside the platform. Whatever is applied stands in it first, so that an operator that dies in between knows
afterwards what may be left over; an entry is dropped only once its object is gone. `applied` is the wish that was
applied to its end: while it is the present one, nothing has to wait for its turn any more.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecommerce_operator.kinds import CONFIG_MAP, Key
from ecommerce_operator.manifests import Manifest, Owner, labels, manifest


@dataclass(frozen=True, slots=True)
class Record:
    """One component: its objects as `str(key)`, and the digest of the wish that was applied whole."""

    objects: frozenset[str] = frozenset()
    applied: str = ""


@dataclass(slots=True)
class Inventory:
    """The records of a platform by component."""

    records: dict[str, Record] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: Mapping[str, str]) -> "Inventory":
        """Answers what a ConfigMap's data says; what cannot be read is as if it were not there."""
        records = {}
        for component, text in data.items():
            try:
                found = json.loads(text)
                records[component] = Record(frozenset(map(str, found["objects"])), str(found["applied"]))
            except (ValueError, TypeError, KeyError):
                continue
        return cls(records)

    def of(self, component: str) -> Record:
        """Answers a component's record; an empty one where nothing was made yet."""
        return self.records.get(component, Record())

    def expect(self, component: str, keys: Iterable[Key]) -> None:
        """Adds what is about to be made."""
        record = self.of(component)
        self.records[component] = Record(record.objects | frozenset(map(str, keys)), record.applied)

    def complete(self, component: str, digest: str) -> None:
        """Notes that a wish was applied to its end."""
        self.records[component] = Record(self.of(component).objects, digest)

    def drop(self, component: str, gone: Iterable[str]) -> None:
        """Takes out objects that are gone, and the component with its last one."""
        record = self.of(component)
        left = record.objects - frozenset(gone)
        if left:
            self.records[component] = Record(left, record.applied)
        else:
            self.records.pop(component, None)

    def manifest(self, owner: Owner) -> Manifest:
        """Answers the ConfigMap that holds it."""
        key = key_of(owner.namespace, owner.name)
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "labels": labels(owner.name),
                "ownerReferences": [owner.reference],
            },
            "data": {
                component: json.dumps({"applied": record.applied, "objects": sorted(record.objects)})
                for component, record in sorted(self.records.items())
            },
        }
        return manifest(body, key)


def key_of(namespace: str, platform: str) -> Key:
    """Answers where a platform's inventory is kept."""
    return Key(CONFIG_MAP, namespace, f"{platform}-inventory")
