"""The values of each component's chart: what the resource decides, and nothing that is the chart's own default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ecommerce_operator.components import ServiceRow, databases
from ecommerce_operator.model import (
    COMPONENT_LABEL,
    PLATFORM_LABEL,
    SECRETS_DIGEST_ANNOTATION,
    OperatorSettings,
    SecretNames,
)
from ecommerce_operator.quantities import MEBIBYTE, amount, split_reference
from ecommerce_operator.spec import Datastore, Elasticsearch, Ingress, Kafka, Placed, Platform, Service

# Above this a Java virtual machine cannot compress its references any more: a larger heap would hold less.
LARGEST_HEAP: Final = 31 * 1024

# The group of the annotations that ask for a certificate.
CERTIFIER: Final = "cert-manager.io/"

# The part of `digests` that belongs to the Job which makes databases: a service's new password must not restart the
# server.
PROVISION_DIGEST: Final = "postgres/provision"


@dataclass(frozen=True, slots=True)
class Wish:
    """Everything that the values of a chart are made from."""

    platform: Platform
    settings: OperatorSettings
    secrets: SecretNames
    digests: Mapping[str, str]

    @property
    def version(self) -> str:
        """The image tag that the platform as a whole is asked to run."""
        return self.platform.spec.version or self.settings.version

    def name_of(self, component: str) -> str:
        """Answers the name of a component's release, which is the name of its Service, too."""
        return f"{self.platform.name}-{component}"


def datastore_values(wish: Wish, component: str) -> dict[str, Any]:
    """Answers the values of a datastore's chart."""
    wanted = wish.platform.spec.datastores.of(component)
    managed = wanted.mode == "Managed"
    # What another operator runs has an image of its own making, unless the resource itself names one.
    reference = wanted.image or ("" if managed else getattr(wish.settings, f"{component}_image"))
    return _common(wish, component, wanted) | {
        "replicas": wanted.replicas,
        "storage": {"size": wanted.storage.size, "className": wanted.storage.class_name},
        "image": _image(wish, reference, wish.settings.pull_policy),
        **_DATASTORES[component](wish),
        **({"mode": "managed"} if managed else {}),
    }


def service_values(wish: Wish, row: ServiceRow) -> dict[str, Any]:
    """Answers the values of a service's chart."""
    wanted = wish.platform.spec.services.of(row.name)
    image = wish.platform.spec.image
    reference = (
        wanted.image or f"{image.registry or wish.settings.registry}/{row.name}:{wanted.version or wish.version}"
    )
    return _common(wish, row.name, wanted) | {
        "replicas": wanted.replicas,
        "image": _image(wish, reference, image.pull_policy or wish.settings.pull_policy),
        "resources": wanted.resources.model_dump(by_alias=True),
        "development": wanted.development,
        "env": [variable.model_dump() for variable in wanted.env],
        **_autoscaling(wanted),
        **_needs(wish, row),
    }


def _common(wish: Wish, component: str, wanted: Placed) -> dict[str, Any]:
    """What every chart takes."""
    digest = wish.digests.get(component)
    return {
        "platform": wish.platform.name,
        "podLabels": {PLATFORM_LABEL: wish.platform.name, COMPONENT_LABEL: component},
        "podAnnotations": {SECRETS_DIGEST_ANNOTATION: digest} if digest else {},
        "nodeSelector": dict(wanted.node_selector),
        "tolerations": [
            {key: value for key, value in toleration.model_dump(by_alias=True).items() if value not in ("", None)}
            for toleration in wanted.tolerations
        ],
    }


def _image(wish: Wish, reference: str, pull_policy: str) -> dict[str, Any]:
    """A chart's image; without a reference it stays the chart's own, and the whole node's ways to get it hold."""
    secrets = [secret.model_dump() for secret in wish.platform.spec.image.pull_secrets]
    return (split_reference(reference) if reference else {}) | {"pullPolicy": pull_policy, "pullSecrets": secrets}


def _autoscaling(wanted: Service) -> dict[str, Any]:
    if wanted.autoscaling is None:
        return {}
    return {"autoscaling": {"enabled": True, **wanted.autoscaling.model_dump(by_alias=True)}}


def _needs(wish: Wish, row: ServiceRow) -> dict[str, Any]:
    """What a service is told about the others, as far as its row says that it needs it."""
    spec = wish.platform.spec
    told = _datastores(wish, row)
    if row.calls:
        told["addresses"] = {name: f"{wish.name_of(name)}:8080" for name in row.calls}
    if row.currency:
        told["currency"] = spec.currency.model_dump(include=set(row.currency))
    if row.signs_in:
        told["encryptionKey"] = {"secretName": wish.secrets.encryption_key}
        told["serviceSecrets"] = {"secretName": wish.secrets.service_secrets}
        told["administrator"] = {"secretName": wish.secrets.administrator if spec.administrator.email else ""}
    if row.public:
        told |= _entrance(spec.ingress, certified=row.cookies)
    if row.cookies:
        told["cookieSecure"] = spec.ingress.secure
    if row.takes_money:
        told |= _payment(wish)
    if row.learns:
        told |= spec.recommender.model_dump(mode="json", by_alias=True)
    return told


def _datastores(wish: Wish, row: ServiceRow) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if row.database:
        told["database"] = _database(wish, row.name)
    if row.kafka:
        told["kafka"] = _kafka(wish)
    if row.search:
        told["elasticsearch"] = _elasticsearch(wish)
    return told


def _database(wish: Wish, service: str) -> dict[str, str]:
    external = _external(wish.platform.spec.datastores.postgres)
    return external | {"secretKey": service} if external else {"secretName": wish.secrets.databases[service]}


def _kafka(wish: Wish) -> dict[str, str]:
    wanted = wish.platform.spec.datastores.kafka
    # Strimzi names its Service after its resource.
    host = wish.name_of("kafka") + ("-kafka-bootstrap" if wanted.mode == "Managed" else "")
    return _external(wanted) or {"bootstrapServers": f"{host}:9092"}


def _elasticsearch(wish: Wish) -> dict[str, str]:
    wanted = wish.platform.spec.datastores.elasticsearch
    if external := _external(wanted):
        return external | {"caSecretKey": wish.secrets.elasticsearch_ca_key}
    # So does Elastic Cloud on Kubernetes.
    host = wish.name_of("elasticsearch") + ("-es-http" if wanted.mode == "Managed" else "")
    return {"url": f"http://{host}:9200"}


def _external(wanted: Datastore) -> dict[str, str]:
    return {} if wanted.ours else {"secretName": wanted.external.secret_name}


def _entrance(ingress: Ingress, *, certified: bool) -> dict[str, Any]:
    """A way in; cert-manager makes one certificate for one Ingress, so only who is `certified` asks for it."""
    asked = {name: value for name, value in ingress.annotations.items() if certified or CERTIFIER not in name}
    shared = {"host": ingress.host, "annotations": asked}
    return {
        "ingress": {"enabled": False}
        if ingress.type != "Ingress"
        else {"enabled": True, "className": ingress.class_name, "tlsSecretName": ingress.tls_secret_name, **shared},
        "httpRoute": {"enabled": False}
        if ingress.type != "HTTPRoute"
        else {"enabled": True, "tls": ingress.secure, "gateway": ingress.gateway.model_dump(by_alias=True), **shared},
    }


def _payment(wish: Wish) -> dict[str, Any]:
    """Whom payment takes money through, and where buyers find it and may be sent back to."""
    wanted, ingress = wish.platform.spec.payment, wish.platform.spec.ingress
    host = "" if ingress.type == "None" else ingress.host
    return {
        "provider": {
            "name": wanted.provider.lower(),
            "mode": wanted.mode.lower(),
            "secretName": wanted.secret_name if wanted.real else wish.secrets.payment_sandbox,
        },
        "serviceSecret": {"secretName": wish.secrets.payment_identity},
        "redirectHosts": list(wanted.redirect_hosts),
        "publicUrl": wanted.public_url or (host and f"{'https' if ingress.secure else 'http'}://{host}"),
    }


def _postgres_values(wish: Wish) -> dict[str, Any]:
    wanted = wish.platform.spec.datastores.postgres
    digest = wish.digests.get(PROVISION_DIGEST)
    return {
        "resources": wanted.resources.model_dump(by_alias=True),
        "settings": dict(wanted.settings),
        "superuser": {"secretName": wish.secrets.superuser},
        "databases": [{"name": name, "secretName": wish.secrets.databases[name]} for name in databases()],
        "provision": {"podAnnotations": {SECRETS_DIGEST_ANNOTATION: digest} if digest else {}},
    }


def _kafka_values(wish: Wish) -> dict[str, Any]:
    return {"clusterId": wish.secrets.kafka_cluster_id, **_java_values(wish.platform.spec.datastores.kafka)}


def _elasticsearch_values(wish: Wish) -> dict[str, Any]:
    return _java_values(wish.platform.spec.datastores.elasticsearch)


def _java_values(wanted: Kafka | Elasticsearch) -> dict[str, Any]:
    heap = min(int(amount(wanted.resources.limits.memory)) // 2 // MEBIBYTE, LARGEST_HEAP)
    return {"resources": wanted.resources.model_dump(by_alias=True), "heap": f"{heap}m"}


_DATASTORES: Final[Mapping[str, Callable[[Wish], dict[str, Any]]]] = {
    "postgres": _postgres_values,
    "kafka": _kafka_values,
    "elasticsearch": _elasticsearch_values,
}
