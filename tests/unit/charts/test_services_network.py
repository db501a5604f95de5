"""The services' charts: who may come in, and how the world does."""

from collections.abc import Mapping
from typing import Any

import pytest

from local.topology import NAMES, SERVICES
from services.gateway.playground import _BY_PATH as PLAYGROUND_FILES
from services.gateway.playground import ASSETS
from tests.unit.charts import examples
from tests.unit.charts.datastores import stored
from tests.unit.charts.examples import rendered
from tests.unit.charts.rendering import Object, of_kind, only, pod_templates, serving

MONITORING = {"kubernetes.io/metadata.name": "monitoring"}
SHOP = {"kubernetes.io/metadata.name": "shop"}
# What the gateway serves, for the world and for those inside the cluster.
PUBLIC = ["/graphql", "/playground", "/.well-known/jwks.json", *PLAYGROUND_FILES]
INTERNAL = ["/metrics", "/readyz", "/healthz", "/", "/graphql/x", "/graphqlx", "/playgroundx", "/.well-known"]
# The setting that holds a datastore's address.
ADDRESS = {
    "postgres": "DATABASE_URL",
    "kafka": "KAFKA_BOOTSTRAP_SERVERS",
    "elasticsearch": "ELASTICSEARCH_URL",
}
# What payment serves, by provider.
WEBHOOK = ["/webhook/payment"]
PAGES = ["/checkout/token", "/checkout/style.css", "/portal/token"]


facing = pytest.mark.parametrize("service", ["gateway", "payment"])


def labels(service: str, kind: str = "Deployment") -> dict[str, str]:
    """The labels of the pods that a chart makes."""
    objects = rendered(service)
    made = serving(objects) if kind == "Deployment" else only(objects, kind)
    found: dict[str, str] = made["spec"]["template"]["metadata"]["labels"]
    return found


def selects(selector: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    """Whether a label selector selects labels (matchLabels, and the operator In)."""
    named = selector.get("matchLabels", {}).items() <= given.items()
    return named and all(
        each["operator"] == "In" and given.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
    )


def admits(policy: Object, pod: Mapping[str, str], port: int, namespace: Mapping[str, str] = SHOP) -> bool:
    """Whether a policy lets a pod of a namespace come in on a port, by the rules of NetworkPolicy."""

    def comes_from(peer: Mapping[str, Any]) -> bool:
        where = peer.get("namespaceSelector")
        there = namespace == SHOP if where is None else selects(where, namespace)
        return there and selects(peer.get("podSelector", {}), pod)

    return any(
        any(each["port"] == port for each in rule["ports"])
        and ("from" not in rule or any(map(comes_from, rule["from"])))
        for rule in policy["spec"]["ingress"]
    )


def test_only_those_who_call_come_in(service: str) -> None:
    """A service's port is open to the services that call it by the topology, and to no other component."""
    policy = only(rendered(service), "NetworkPolicy")
    let_in = {name for name in NAMES if admits(policy, labels(name), 8080)}
    callers = {row.name for row in SERVICES if service in row.calls}
    assert let_in == (set(NAMES) if service == "gateway" else callers)
    assert policy["spec"]["policyTypes"] == ["Ingress"]


def test_a_policy_covers_every_pod(service: str) -> None:
    """Servers and migrations of the release are covered, and nobody else's."""
    objects = rendered(service)
    covered = only(objects, "NetworkPolicy")["spec"]["podSelector"]
    assert all(selects(covered, each["metadata"]["labels"]) for each in pod_templates(objects).values())
    assert not any(selects(covered, labels(name)) for name in NAMES if name != service)


@pytest.mark.parametrize("service", [name for name in NAMES if name != "gateway"])
def test_others_stay_out(service: str) -> None:
    """Migrations, other platforms' services, other namespaces' and nameless pods do not come in."""
    policy = only(rendered(service), "NetworkPolicy")
    gateway = labels("gateway")
    assert admits(policy, gateway, 8080)
    assert not admits(policy, {}, 8080)
    assert not admits(policy, labels("product", "Job"), 8080)
    assert not admits(policy, {**gateway, "app.kubernetes.io/part-of": "other"}, 8080)
    assert not admits(policy, gateway, 8080, {"kubernetes.io/metadata.name": "elsewhere"})
    assert not admits(policy, gateway, 9090)


@pytest.mark.parametrize("store", ["postgres", "kafka", "elasticsearch"])
def test_who_has_the_address_of_a_datastore_may_go_there(store: str) -> None:
    """Each pod that is told where a datastore is, a migration's and the trainer's too, is let in by its policy."""
    databases = [{"name": row.name, "secretName": f"shop-{row.name}-database"} for row in SERVICES if row.database]
    policy = only(stored(store, {"databases": databases} if store == "postgres" else {}), "NetworkPolicy")
    peers = [peer["podSelector"] for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    kept_out = [
        f"{service} {pod}"
        for service in NAMES
        for pod, template in pod_templates(rendered(service)).items()
        if ADDRESS[store] in {each["name"] for each in template["spec"]["containers"][0]["env"]}
        and not any(selects(peer, template["metadata"]["labels"]) for peer in peers)
    ]
    assert kept_out == []


def test_nobody_comes_to_the_trainer_but_who_collects_its_metrics() -> None:
    """It is covered by the recommender's policy, is selected by no Service, and says where its metrics are."""
    objects = rendered("recommender")
    template = pod_templates(objects)["Deployment/shop-recommender-trainer"]
    given = template["metadata"]["labels"]
    assert selects(only(objects, "NetworkPolicy")["spec"]["podSelector"], given)
    assert not any(each["spec"]["selector"].items() <= given.items() for each in of_kind(objects, "Service"))
    assert [each["containerPort"] for each in template["spec"]["containers"][0]["ports"]] == [9090]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "9090"
    assert not admits(only(rendered("account"), "NetworkPolicy"), given, 8080)


@pytest.mark.parametrize("service", [name for name in NAMES if name != "gateway"])
def test_who_collects_metrics(service: str) -> None:
    """Metrics are open to the monitoring namespace alone, to whom the values name, or to nobody."""
    policy = only(rendered(service), "NetworkPolicy")
    assert admits(policy, {}, 9090, MONITORING)
    assert not admits(policy, {}, 8080, MONITORING)
    named = {"metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}
    changed = only(rendered(service, {"networkPolicy": named}), "NetworkPolicy")
    assert admits(changed, {}, 9090, {"team": "b"})
    assert not admits(changed, {}, 9090, MONITORING)
    closed = only(rendered(service, {"networkPolicy": {"metricsFrom": []}}), "NetworkPolicy")
    assert not admits(closed, {}, 9090, MONITORING)


def test_where_metrics_are(service: str) -> None:
    """Prometheus is told the port that serves them, which the pod opens."""
    template = serving(rendered(service))["spec"]["template"]
    told = template["metadata"]["annotations"]
    assert told["prometheus.io/scrape"] == "true"
    assert told["prometheus.io/path"] == "/metrics"
    ports = {each["containerPort"] for each in template["spec"]["containers"][0]["ports"]}
    assert int(told["prometheus.io/port"]) in ports


def test_alone_means_by_name(service: str) -> None:
    """Without a platform's name, components of the right name may come in, whatever they belong to."""
    policy = only(rendered(service, {"platform": ""}), "NetworkPolicy")
    assert admits(policy, {**labels("gateway"), "app.kubernetes.io/part-of": "whatever"}, 8080)


def test_no_policy_when_none_is_wanted(service: str) -> None:
    """Where something else guards the network, the policy can be left out."""
    assert not of_kind(rendered(service, {"networkPolicy": {"enabled": False}}), "NetworkPolicy")


def _leads_in(objects: list[Object], path: str) -> bool:
    """Whether a request for a path reaches the service, by the rules of Ingress or HTTPRoute."""
    matches = [
        (each["pathType"], each["path"])
        for ingress in of_kind(objects, "Ingress")
        for each in ingress["spec"]["rules"][0]["http"]["paths"]
    ] + [
        (each["path"]["type"], each["path"]["value"])
        for route in of_kind(objects, "HTTPRoute")
        for each in route["spec"]["rules"][0]["matches"]
    ]
    return any(path == value or (kind != "Exact" and path.startswith(f"{value}/")) for kind, value in matches)


@pytest.mark.parametrize("way", ["an Ingress", "an HTTPRoute"])
def test_what_the_world_reaches(way: str) -> None:
    """GraphQL, the playground with each of its files, and the public keys; no metrics and no probes."""
    objects = rendered("gateway", examples.choices("gateway")[way])
    assert ASSETS.is_dir()
    assert [path for path in PUBLIC if not _leads_in(objects, path)] == []
    assert [path for path in INTERNAL if _leads_in(objects, path)] == []


@pytest.mark.parametrize("way", ["an Ingress", "an HTTPRoute"])
@pytest.mark.parametrize(
    ("provider", "reached", "hidden"),
    [({}, [*WEBHOOK, *PAGES], []), ({"provider": {"name": "stripe"}, "redirectHosts": ["a.b"]}, WEBHOOK, PAGES)],
    ids=["sandbox", "stripe"],
)
def test_what_the_world_reaches_of_payment(
    way: str, provider: Mapping[str, Any], reached: list[str], hidden: list[str]
) -> None:
    """Webhooks, and the sandbox's pages where it is the provider; no metrics and no probes."""
    objects = rendered("payment", examples.choices("payment")[way], provider)
    assert [path for path in reached if not _leads_in(objects, path)] == []
    assert [path for path in [*hidden, *INTERNAL, "/webhook", "/checkouts"] if _leads_in(objects, path)] == []


def test_anybody_may_come_to_payments_pages() -> None:
    """The port of pages and webhooks is open to whatever proxy brings buyers in; gRPC is not, nor are metrics."""
    policy = only(rendered("payment"), "NetworkPolicy")
    proxy = {"app": "proxy"}, {"kubernetes.io/metadata.name": "ingress"}
    assert [port for port in (8080, 8081, 9090) if admits(policy, proxy[0], port, proxy[1])] == [8081]


@facing
def test_the_ways_in_lead_to_the_service(service: str) -> None:
    """Ingress and HTTPRoute name a Service with an address of its own and a port that it has."""
    (found,) = (each for each in of_kind(rendered(service), "Service") if "clusterIP" not in each["spec"])
    ingress = only(rendered(service, {"ingress": {"enabled": True}}), "Ingress")
    for each in ingress["spec"]["rules"][0]["http"]["paths"]:
        assert each["backend"]["service"] == {"name": found["metadata"]["name"], "port": {"name": "http"}}
    route = only(rendered(service, examples.choices(service)["an HTTPRoute"]), "HTTPRoute")
    (port,) = found["spec"]["ports"]
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": found["metadata"]["name"], "port": port["port"]}]
    opened = serving(rendered(service))["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert {"name": port["targetPort"], "containerPort": port["port"]} in opened


@facing
def test_host_and_certificate(service: str) -> None:
    """A host without TLS, with TLS, and none at all."""
    choices = examples.choices(service)
    spec = only(rendered(service, choices["an Ingress with TLS"]), "Ingress")["spec"]
    assert spec["tls"] == [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}]
    assert (spec["rules"][0]["host"], spec["ingressClassName"]) == ("shop.example.com", "contour")
    spec = only(rendered(service, choices["an Ingress"]), "Ingress")["spec"]
    assert "tls" not in spec
    assert "host" not in spec["rules"][0]
    assert "ingressClassName" not in spec


@facing
def test_no_way_in_unless_wanted(service: str) -> None:
    """By default it is reached from inside the cluster only."""
    objects = rendered(service)
    assert not of_kind(objects, "Ingress")
    assert not of_kind(objects, "HTTPRoute")


@pytest.mark.parametrize(
    ("values", "secure"),
    [
        ({}, "false"),
        ({"ingress": {"enabled": True}}, "false"),
        ({"ingress": {"enabled": True, "host": "a.b", "tlsSecretName": "t"}}, "true"),
        ({"ingress": {"enabled": False, "host": "a.b", "tlsSecretName": "t"}}, "false"),
        ({"httpRoute": {"enabled": True, "gateway": {"name": "g"}}}, "false"),
        ({"httpRoute": {"enabled": True, "tls": True, "gateway": {"name": "g"}}}, "true"),
        ({"cookieSecure": True}, "true"),
        ({"cookieSecure": False, "ingress": {"enabled": True, "host": "a.b", "tlsSecretName": "t"}}, "false"),
    ],
    ids=str,
)
def test_the_cookie_is_secure_where_there_is_tls(values: Mapping[str, Any], secure: str) -> None:
    """The cookie goes over TLS only, where TLS is; the values may say otherwise."""
    container = serving(rendered("gateway", values))["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "COOKIE_SECURE", "value": secure} in container["env"]
