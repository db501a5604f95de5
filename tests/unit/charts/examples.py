"""Values that the services' charts are rendered with: as little as each needs, and each choice once."""

from collections.abc import Mapping
from typing import Any, Final

from local.topology import NAMES, SERVICES
from tests.unit.charts.rendering import Object, merged, render

Values = dict[str, Any]

_GIVEN: Final = {
    "database": {"secretName": "shop-database"},
    "kafka": {"bootstrapServers": "shop-kafka:9092"},
    "elasticsearch": {"url": "http://shop-elasticsearch:9200"},
    "encryptionKey": {"secretName": "shop-encryption-key"},
    "serviceSecret": {"secretName": "shop-payment-identity"},
    "provider": {"secretName": "shop-payment-sandbox"},
}
_NEEDS: Final = {
    "account": ("database", "encryptionKey"),
    "product": ("database", "kafka", "elasticsearch"),
    "order": ("database", "kafka"),
    "payment": ("database", "kafka", "serviceSecret", "provider"),
    "recommender": ("database", "kafka"),
    "gateway": ("kafka",),
}

# What every service's chart has to cope with.
_COMMON: Final[dict[str, Values]] = {
    "as little as needed": {},
    "three replicas": {"replicas": 3},
    "no replica": {"replicas": 0},
    "scaled automatically": {"autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 4}},
    "scaled from one": {"autoscaling": {"enabled": True}},
    "placed": {
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "shop", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]
                }
            }
        },
        "priorityClassName": "shop",
    },
    "labelled": {
        "podLabels": {"ecommerce.dev/platform": "shop"},
        "podAnnotations": {"ecommerce.dev/secrets-digest": "1"},
    },
    "another image": {
        "image": {
            "repository": "registry.example.com:5000/shop",
            "tag": "1.2.3",
            "digest": f"sha256:{'0' * 64}",
            "pullPolicy": "Always",
            "pullSecrets": [{"name": "registry"}],
        }
    },
    "further settings": {"env": [{"name": "LOG_LEVEL", "value": "DEBUG"}]},
    "in development": {"development": True},
    "no policy": {"networkPolicy": {"enabled": False}},
    "alone": {"platform": ""},
}
# What those have to cope with that the world comes in to.
_WAYS: Final[dict[str, Values]] = {
    "an Ingress": {"ingress": {"enabled": True}},
    "an Ingress with TLS": {
        "ingress": {
            "enabled": True,
            "className": "contour",
            "host": "shop.example.com",
            "tlsSecretName": "shop-tls",
            "annotations": {"example.com/timeout": "10s"},
        }
    },
    "an HTTPRoute": {"httpRoute": {"enabled": True, "gateway": {"name": "shop"}}},
    "an HTTPRoute with TLS": {
        "httpRoute": {
            "enabled": True,
            "host": "*.example.com",
            "tls": True,
            "gateway": {"name": "shop", "namespace": "gateways", "sectionName": "https"},
            "annotations": {"example.com/timeout": "10s"},
        }
    },
}
_OWN: Final[dict[str, dict[str, Values]]] = {
    "account": {
        "an administrator": {"administrator": {"secretName": "shop-administrator"}},
        "other services": {"serviceSecrets": {"secretName": "shop-service-secrets"}},
    },
    "product": {
        "datastores by Secrets": {
            "kafka": {"bootstrapServers": "", "secretName": "kafka"},
            "elasticsearch": {"url": "", "secretName": "elasticsearch", "caSecretKey": "ca.crt"},
        },
        "no metrics": {"networkPolicy": {"metricsFrom": []}},
    },
    "order": {"Kafka by a Secret": {"kafka": {"bootstrapServers": "", "secretName": "kafka"}}},
    "payment": {
        **_WAYS,
        "Stripe": {"provider": {"name": "stripe", "secretName": "stripe"}, "redirectHosts": ["shop.example.com"]},
        "Dodo": {
            "provider": {"name": "dodo", "mode": "live", "secretName": "dodo"},
            "redirectHosts": ["*.example.com", "localhost"],
            "publicUrl": "https://shop.example.com",
            "ingress": {"enabled": True},
        },
    },
    # The ends of what its schema allows: what the trainer's settings have to take, too.
    "recommender": {
        "trained otherwise": {
            "historyDays": 30,
            "training": {
                "everySeconds": 86400,
                "afterInteractions": 100_000_000,
                "factors": 256,
                "regularization": [0.0001, 10],
                "alpha": 0.01,
                "iterations": 100,
                "viewWeight": 0.01,
                "purchaseWeight": 1000,
                "halfLifeDays": 3650,
                "tolerance": 0.5,
            },
        },
        "trained the other way": {
            "historyDays": 3650,
            "training": {
                "everySeconds": 10,
                "afterInteractions": 1,
                "factors": 2,
                "regularization": [0.1] * 8,
                "alpha": 1000,
                "iterations": 1,
                "viewWeight": 1000,
                "purchaseWeight": 0.01,
                "halfLifeDays": 1,
                "tolerance": 0,
            },
        },
    },
    "gateway": {
        **_WAYS,
        "called by other sites": {"corsOrigins": ["https://a.example.com", "http://b.example.com:8080"]},
        "without memory of answers": {"responseCacheMebibytes": 0},
    },
}


def least(service: str) -> Values:
    """Answers as little as the chart of a service needs."""
    calls = next(row.calls for row in SERVICES if row.name == service)
    return {
        "platform": "shop",
        **{key: _GIVEN[key] for key in _NEEDS[service]},
        **({"addresses": {name: f"shop-{name}:8080" for name in calls}} if calls else {}),
    }


def rendered(service: str, *changes: Mapping[str, Any]) -> list[Object]:
    """Answers the objects of a service with as little as it needs, and changes laid over that one after another."""
    values = least(service)
    for change in changes:
        values = merged(values, change)
    return render(service, values)


def choices(service: str) -> dict[str, Values]:
    """Answers what may be chosen beyond that, by a name for it."""
    return {**_COMMON, **_OWN[service]}


CASES: Final = [(service, choice) for service in NAMES for choice in choices(service)]
