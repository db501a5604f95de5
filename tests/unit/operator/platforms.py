"""Platforms for tests, and everything that hypothesis can think of as one that the definition lets through."""

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st

from ecommerce_operator.components import databases
from ecommerce_operator.model import OperatorSettings, SecretNames
from ecommerce_operator.spec import Platform

CLUSTER_ID: Final = "AAAAAAAAAAAAAAAAAAAAAA"
SETTINGS: Final = OperatorSettings(version="1.0.0")
# A platform has many fields; a rendering of all of them takes a while on a busy machine.
some = settings(max_examples=40, deadline=None)
SERVICES: Final = ("account", "product", "order", "payment", "recommender", "gateway")


def platform(spec: Mapping[str, Any] | None = None, name: str = "shop", **metadata: Any) -> Platform:
    known = {"name": name, "namespace": "shop", "uid": "0", "generation": 3}
    return Platform.parse({"metadata": known | metadata, "spec": spec or {}})


def secrets(name: str = "shop", **further: str) -> SecretNames:
    return SecretNames.of(name, databases(), CLUSTER_ID, **further)


NAMES: Final = st.from_regex(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?", fullmatch=True)
_OBJECTS: Final = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
_TAGS: Final = st.from_regex(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,20})?", fullmatch=True)
_IMAGES: Final = st.sampled_from(
    [
        "",
        "shop",
        "shop/order:1",
        "registry:5000/shop/order",
        "registry.example.com/shop/order:1.4.2",
        f"registry.example.com/order@sha256:{'0' * 64}",
        f"registry:5000/order:1@sha256:{'0' * 64}",
    ]
)
_HOSTS: Final = st.sampled_from(["", "shop.example.com", "localhost"])
_TEXTS: Final = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20)


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _resources(memory: list[str | int]) -> st.SearchStrategy[dict[str, Any]]:
    return _optional(
        requests=_optional(cpu=st.sampled_from(["10m", "1", 1, "0.5"]), memory=st.sampled_from(memory)),
        limits=_optional(cpu=st.sampled_from(["500m", "2", 2]), memory=st.sampled_from(memory)),
    )


_PLACED: Final = {
    "paused": st.booleans(),
    "nodeSelector": st.dictionaries(_OBJECTS, _OBJECTS, max_size=2),
    "tolerations": st.lists(
        _optional(key=_OBJECTS, operator=st.sampled_from(["Equal", "Exists"]), effect=st.just("NoExecute")), max_size=2
    ),
}
_ENV: Final = st.lists(
    st.fixed_dictionaries({"name": st.from_regex(r"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True), "value": _TEXTS}),
    max_size=3,
    unique_by=lambda variable: variable["name"],
)
_SERVICE: Final = _optional(
    replicas=st.integers(1, 100),
    version=_TAGS,
    image=_IMAGES,
    resources=_resources(["128Mi", "1Gi", 2**30, "1.5Gi"]),
    autoscaling=_optional(minReplicas=st.integers(1, 5), maxReplicas=st.integers(5, 100)),
    env=_ENV,
    development=st.booleans(),
    **_PLACED,
)
_MODES: Final = st.sampled_from([{"mode": "Embedded"}, {"mode": "External", "external": {"secretName": "elsewhere"}}])


def _datastore(replicas: list[int], **further: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = _optional(
        replicas=st.sampled_from(replicas),
        image=_IMAGES,
        storage=_optional(size=st.sampled_from(["1Gi", "200Gi", "2Ti"]), className=_OBJECTS),
        resources=_resources(["768Mi", "2Gi", "100Gi", 2**31]),
        **_PLACED,
        **further,
    )
    return st.builds(lambda mode, given: mode | given, _MODES, fields)


_INGRESS: Final = st.one_of(
    _optional(host=_HOSTS, className=_OBJECTS, https=st.booleans(), annotations=st.dictionaries(_OBJECTS, _TEXTS)),
    st.just({"host": "shop.example.com", "tlsSecretName": "tls"}),
    st.just({"type": "HTTPRoute", "host": "shop.example.com", "gateway": {"name": "public"}, "https": True}),
    st.just({"type": "None"}),
)
_RETURNS: Final = st.lists(st.sampled_from(["shop.example.com", "*.example.com", "localhost"]), max_size=2, unique=True)
_PAYMENT: Final = st.one_of(
    _optional(
        redirectHosts=_RETURNS, publicUrl=st.sampled_from(["", "https://shop.example.com", "http://localhost:8080"])
    ),
    st.builds(
        lambda provider, hosts: {"secretName": "keys", "redirectHosts": ["a.example", *hosts]} | provider,
        st.sampled_from([{"provider": "Stripe"}, {"provider": "Dodo", "mode": "Live"}, {"provider": "Dodo"}]),
        _RETURNS,
    ),
)
_RECOMMENDER: Final = _optional(
    historyDays=st.integers(1, 3650),
    training=_optional(
        everySeconds=st.integers(10, 86_400),
        afterInteractions=st.integers(1, 10**8),
        factors=st.integers(2, 256),
        regularization=st.lists(st.sampled_from([0.0001, 0.15, 1, 10]), min_size=1, max_size=8),
        alpha=st.sampled_from([0.01, 4, 1000]),
        iterations=st.integers(1, 100),
        viewWeight=st.sampled_from([0.01, 1, 1000]),
        purchaseWeight=st.sampled_from([0.01, 4.5, 1000]),
        halfLifeDays=st.sampled_from([1, 90.5, 3650]),
        tolerance=st.sampled_from([0, 0.05, 0.5]),
        resources=_resources(["512Mi", "4Gi"]),
    ),
)
SPECS: Final = _optional(
    version=_TAGS,
    image=_optional(
        registry=st.sampled_from(["", "registry.example.com/shop", "localhost:5000"]),
        pullPolicy=st.sampled_from(["", "Always", "IfNotPresent", "Never"]),
        pullSecrets=st.lists(st.fixed_dictionaries({"name": _OBJECTS}), max_size=2),
    ),
    paused=st.booleans(),
    deletionPolicy=st.sampled_from(["Retain", "Delete"]),
    currency=_optional(code=st.sampled_from(["USD", "JPY"]), decimals=st.integers(0, 4)),
    administrator=_optional(email=st.sampled_from(["", "ada@example.com"])),
    ingress=_INGRESS,
    payment=_PAYMENT,
    recommender=_RECOMMENDER,
    services=_optional(**dict.fromkeys(SERVICES, _SERVICE)),
    datastores=_optional(
        postgres=_datastore(
            [1], settings=st.dictionaries(st.sampled_from(["max_connections", "shared_buffers"]), st.just("300"))
        ),
        kafka=_datastore([1, 3]),
        elasticsearch=_datastore([1, 3]),
    ),
)
