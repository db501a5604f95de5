"""Specs that the API server has to refuse, each with a part of the sentence that says why."""

from typing import Any, Final

import pytest


def _service(**fields: Any) -> dict[str, Any]:
    return {"services": {"account": fields}}


def _env(name: str) -> dict[str, Any]:
    return _service(env=[{"name": name, "value": "x"}])


def _store(name: str, **fields: Any) -> dict[str, Any]:
    return {"datastores": {name: fields}}


def _payment(**fields: Any) -> dict[str, Any]:
    return {"payment": fields}


def _training(**fields: Any) -> dict[str, Any]:
    return {"recommender": {"training": fields}}


def _toleration(**fields: Any) -> dict[str, Any]:
    return _service(tolerations=[fields])


def _limits(**amounts: Any) -> dict[str, Any]:
    return _service(resources={"limits": amounts})


_EXTERNAL: Final = {"mode": "External", "external": {"secretName": "elsewhere"}}

_SPECS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "tag": ({"version": "shop:1.0"}, "must be an image tag, such as 1.4.2"),
    "service tag": (_service(version="a b"), "must be an image tag, such as 1.4.2"),
    "registry": ({"image": {"registry": "https://registry.example.com/"}}, "without scheme and without a slash"),
    "pull policy": ({"image": {"pullPolicy": "Sometimes"}}, 'supported values: "", "Always", "IfNotPresent", "Never"'),
    "image": (_service(image="https://registry/x:1"), "must be an image reference"),
    "digest": (_store("postgres", image="postgres@sha256:12"), "must be an image reference"),
    "deletion policy": ({"deletionPolicy": "Keep"}, 'supported values: "Retain", "Delete"'),
    "currency": ({"currency": {"code": "usd"}}, "three capital letters, such as USD or EUR"),
    "decimals": ({"currency": {"decimals": 7}}, "should be less than or equal to 4"),
    "e-mail": ({"administrator": {"email": "admin"}}, "email must be an e-mail address"),
    "password for nobody": ({"administrator": {"email": "", "secretName": "x"}}, "give email, too"),
    "secret's name": ({"administrator": {"secretName": "My_Secret"}}, "must be the name of an object"),
    "TLS without host": ({"ingress": {"tlsSecretName": "tls"}}, "tlsSecretName needs host"),
    "route without host": (
        {"ingress": {"type": "HTTPRoute", "gateway": {"name": "public"}}},
        "type HTTPRoute needs host",
    ),
    "route without gateway": (
        {"ingress": {"type": "HTTPRoute", "host": "shop.example.com"}},
        "type HTTPRoute needs gateway.name",
    ),
    "gateway for an ingress": ({"ingress": {"gateway": {"name": "public"}}}, "gateway is only read for type HTTPRoute"),
    "TLS secret for a route": (
        {
            "ingress": {
                "type": "HTTPRoute",
                "host": "shop.example.com",
                "tlsSecretName": "tls",
                "gateway": {"name": "public"},
            }
        },
        "set https to true here",
    ),
    "class for none": ({"ingress": {"type": "None", "className": "nginx"}}, "className is only read for type Ingress"),
    "host with scheme": ({"ingress": {"host": "http://shop.example.com"}}, "must be a DNS name in lower case"),
    "host with port": ({"ingress": {"host": "shop.example.com:8080"}}, "must be a DNS name in lower case"),
    "host in capitals": ({"ingress": {"host": "Shop.example.com"}}, "must be a DNS name in lower case"),
    "host as address": ({"ingress": {"host": "10.0.0.1"}}, "no IP address"),
    "an unknown provider": ({"payment": {"provider": "PayPal"}}, 'supported values: "Sandbox", "Dodo", "Stripe"'),
    "a provider without keys": (_payment(provider="Stripe", redirectHosts=["a.example"]), "needs secretName"),
    "keys of the sandbox": (_payment(secretName="x"), "secretName is only read for a real provider"),
    "a live sandbox": (_payment(mode="Live"), "mode is only read for provider Dodo"),
    "nowhere to go back to": (_payment(provider="Dodo", secretName="x"), "where buyers may be sent back to"),
    "a host that nothing leads to": (
        _payment(provider="Dodo", secretName="x") | {"ingress": {"type": "None", "host": "shop.example.com"}},
        "where buyers may be sent back to",
    ),
    "a host to go back to with scheme": (_payment(redirectHosts=["https://a.example"]), "must be a host name in lower"),
    "every host": (_payment(redirectHosts=["*"]), "must be a host name in lower case"),
    "the same host twice": (_payment(redirectHosts=["a.example", "a.example"]), "Duplicate value"),
    "an address with a path": (_payment(publicUrl="https://a.example/"), "no slash at its end"),
    "an address without scheme": (_payment(publicUrl="a.example"), "must be scheme and host"),
    "no history": ({"recommender": {"historyDays": 0}}, "should be greater than or equal to 1"),
    "training without pause": (_training(everySeconds=0), "should be greater than or equal to 10"),
    "no regularization": (_training(regularization=[]), "should have at least 1 items"),
    "regularization of nothing": (_training(regularization=[0]), "must be at least 0.0001"),
    "a gate that lets all in": (_training(tolerance=1), "must be at most 0.5"),
    "views that count for nothing": (_training(viewWeight=0), "must be at least 0.01"),
    "a small trainer": (
        _training(resources={"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}}),
        "limits.memory (128Mi) must be at least 384Mi",
    ),
    "a trainer that asks for more": (
        _training(resources={"requests": {"cpu": 4}}),
        "requests.cpu is more than limits.cpu",
    ),
    "no replicas": (_service(replicas=0), "should be greater than or equal to 1"),
    "replicas and autoscaling": (_service(replicas=3, autoscaling={}), "take replicas away"),
    "autoscaling the wrong way": (
        _service(autoscaling={"minReplicas": 6}),
        "minReplicas must not be more than maxReplicas (5 where it is left out)",
    ),
    "no quantity": (_limits(cpu="much"), "must be quantities above zero"),
    "no cpu": (_service(resources={"requests": {"cpu": 0}}), "must be quantities above zero"),
    "milli-bytes": (_limits(memory="512m"), "limits.memory (512m) must be at least 128Mi"),
    "request above limit": (
        _service(resources={"requests": {"cpu": "4"}}),
        "requests.cpu is more than limits.cpu: raise the limit, or lower the request.",
    ),
    "memory above limit": (
        _service(resources={"requests": {"memory": "1Gi"}}),
        "requests.memory is more than limits.memory",
    ),
    "a variable's name": (_env("log-level"), "name must be that of an environment variable"),
    "a lower-case variable": (_env("database_url"), "capital letters"),
    "the same variable twice": (
        _service(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        "Duplicate value",
    ),
    "key-less toleration": (_toleration(operator="Equal"), "must have operator Exists"),
    "valued toleration": (_toleration(key="a", operator="Exists", value="b"), "operator Exists has no value"),
    "passing toleration": (_toleration(key="a", tolerationSeconds=5), "tolerationSeconds is for effect NoExecute"),
    "an unknown mode": (_store("kafka", mode="embedded"), 'supported values: "Embedded", "Managed", "External"'),
    "external without address": (_store("kafka", mode="External"), "mode External needs external.secretName"),
    "address unread": (_store("kafka", external={"secretName": "x"}), "external.secretName is only read in mode"),
    "two servers embedded": (_store("postgres", replicas=2), "the embedded PostgreSQL does not replicate"),
    "two brokers": (_store("kafka", replicas=2), "replicas must be 1 or 3 in mode Embedded"),
    "two nodes": (_store("elasticsearch", replicas=2), "replicas must be 1 or 3 in mode Embedded"),
    "a small volume": (_store("postgres", storage={"size": "100Mi"}), "a quantity of at least 1Gi"),
    "no volume": (_store("postgres", storage={"size": "big"}), "a quantity of at least 1Gi"),
    "a small heap": (
        _store("kafka", resources={"requests": {"memory": "512Mi"}, "limits": {"memory": "512Mi"}}),
        "limits.memory must be at least 768Mi: half of it becomes the Java heap",
    ),
    "a server parameter's name": (_store("postgres", settings={"Max Connections": "5"}), "names must be those of"),
    "a parameter of the platform's own": (_store("postgres", settings={"port": "1"}), "are the platform's own"),
    "a number where text belongs": (_store("postgres", settings={"max_connections": 5}), "must be of type string"),
    **{
        f"reserved {name}": (_env(name), f"{name} is set by the operator")
        for name in (
            "DATABASE_URL",
            "KAFKA_BOOTSTRAP_SERVERS",
            "KEY_ENCRYPTION_KEY",
            "ACCOUNT_ADDRESS",
            "GRPC_PORT",
            "SERVICE_SECRET",
            "PUBLIC_URL",
            "RECOMMENDER_ADDRESS",
            "TRAIN_EVERY",
            "REGULARIZATION",
        )
    },
}
SPECS: Final = [pytest.param(*case, id=name) for name, case in _SPECS.items()]

NAMES: Final = [
    pytest.param("s" * 31, "metadata.name must have at most 30 characters", id="long"),
    pytest.param("1shop", "metadata.name must start with a letter", id="digit first"),
    pytest.param("shop.one", "metadata.name must start with a letter", id="dotted"),
]

_CHANGES: Final[dict[str, tuple[dict[str, Any], dict[str, Any], str]]] = {
    "currency": ({}, {"currency": {"code": "EUR"}}, "cannot change once the platform exists"),
    "smaller volume": (
        {},
        _store("postgres", storage={"size": "4Gi"}),
        "storage.size cannot shrink (from 8Gi to 4Gi): volumes can only grow.",
    ),
    "other storage class": (
        {},
        _store("elasticsearch", storage={"className": "fast"}),
        "storage.className cannot change",
    ),
    "brokers": ({}, _store("kafka", replicas=3), "replicas cannot change in mode Embedded"),
    "nodes": (_store("elasticsearch", replicas=3), {}, "replicas cannot change in mode Embedded"),
    "to managed": ({}, _store("postgres", mode="Managed"), "mode can only change to External"),
    "back from external": (_store("kafka", **_EXTERNAL), {}, "mode can only change to External"),
    "larger volume": ({}, _store("postgres", storage={"size": "16Gi"}), ""),
    "same size in other words": ({}, _store("postgres", storage={"size": "8192Mi"}), ""),
    "to external": ({}, _store("kafka", **_EXTERNAL), ""),
    "another provider": (
        {},
        {"payment": {"provider": "Stripe", "secretName": "stripe"}, "ingress": {"host": "shop.example.com"}},
        "",
    ),
    "more standbys": (_store("postgres", mode="Managed"), _store("postgres", mode="Managed", replicas=3), ""),
    "everything else": (
        {},
        {
            "version": "2.0.0",
            "deletionPolicy": "Delete",
            "ingress": {"host": "shop.example.com", "tlsSecretName": "tls"},
            "services": {"order": {"replicas": 3, "env": [{"name": "LOG_LEVEL", "value": "DEBUG"}]}},
            "datastores": {"postgres": {"settings": {"max_connections": "300"}}},
        },
        "",
    ),
}
CHANGES: Final = [pytest.param(*case, id=name) for name, case in _CHANGES.items()]
