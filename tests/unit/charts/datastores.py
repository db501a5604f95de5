"""Values that the datastores' charts are rendered with: as little as each needs, and each choice once."""

from collections.abc import Mapping
from typing import Any, Final

from tests.unit.charts.rendering import Object, merged, render

Values = dict[str, Any]

NAMES: Final = ("postgres", "kafka", "elasticsearch")
# Of each: the part that its pods are, in their labels.
PARTS: Final = {"postgres": "database", "kafka": "broker", "elasticsearch": "search"}

_LEAST: Final[dict[str, Values]] = {
    "postgres": {
        "superuser": {"secretName": "shop-postgres"},
        "databases": [
            {"name": "account", "secretName": "shop-account-database"},
            {"name": "order", "secretName": "shop-order-database"},
        ],
    },
    "kafka": {"clusterId": "c2hvcC1rYWZrYS1jbHVzdA"},
    "elasticsearch": {},
}
_COMMON: Final[dict[str, Values]] = {
    "as little as needed": {},
    "alone": {"platform": ""},
    "volumes that go": {"storage": {"size": "1Gi", "className": "fast", "retain": False}},
    "placed": {
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "shop", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "shop",
    },
    "labelled": {"podLabels": {"ecommerce.dev/platform": "shop", "mine": "1"}, "podAnnotations": {"mine": "2"}},
    "another image": {
        "image": {
            "repository": "registry.example.com:5000/store",
            "tag": "1.2.3",
            "digest": f"sha256:{'0' * 64}",
            "pullPolicy": "Always",
            "pullSecrets": [{"name": "registry"}],
        }
    },
    "no policy": {"networkPolicy": {"enabled": False}},
    "more clients": {"networkPolicy": {"clients": ["audit"]}},
}
_OWN: Final[dict[str, dict[str, Values]]] = {
    "postgres": {
        "no databases": {"databases": []},
        "settings": {"settings": {"max_connections": "50", "search_path": "'$user', public\\"}},
    },
    "kafka": {"three": {"replicas": 3}, "settings": {"settings": {"log.retention.hours": "1"}}, "heap": {"heap": "2g"}},
    "elasticsearch": {"three": {"replicas": 3}, "settings": {"settings": {"indices.query.bool.max_clause_count": "9"}}},
}


def stored(name: str, changes: Mapping[str, Any] | None = None) -> list[Object]:
    """Answers the objects of a datastore's chart with as little as it needs, and changes."""
    return render(name, merged({"platform": "shop", **_LEAST[name]}, changes or {}))


def choices(name: str) -> dict[str, Values]:
    """Answers what may be chosen, by a name for it."""
    return {**_COMMON, **_OWN[name]}


CASES: Final = [(name, choice) for name in NAMES for choice in choices(name)]
