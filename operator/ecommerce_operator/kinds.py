"""The kinds of objects that the operator deals with, one row each.

What a chart renders must be of a kind in this table: it says where the API serves it, in which phase of a release it is
applied, and how it is watched. A new kind is a new row here and a new rule in the operator's role.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple


class Phase(IntEnum):
    """When an object of a release is applied; each phase begins when the one before is done."""

    SUPPORT = 0  # what pods of any kind need to start: accounts, configuration, policies, services
    MIGRATE = 1  # Jobs that must be complete before anything else of the release changes
    MAIN = 2
    PROVISION = 3  # Jobs that need the release's own pods


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `whole` objects are watched and kept with spec and status, of the others only the metadata.

    `applied` is False for what only controllers make; `optional` kinds may be unknown to the API server.
    """

    api_version: str
    name: str
    plural: str
    phase: Phase = Phase.SUPPORT
    whole: bool = False
    applied: bool = True
    optional: bool = False

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Answers the URL's path of the collection in a namespace (None: in all), or of one object."""
        root = "/apis" if "/" in self.api_version else "/api"
        where = f"namespaces/{namespace}" if namespace else ""
        return "/".join(part for part in (root, self.api_version, where, self.plural, name, subresource) if part)


class Key(NamedTuple):
    """Names an object; `str` of it is how the inventory records it, without the namespace."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.api_version}/{self.kind.name}/{self.name}"

    @property
    def title(self) -> str:
        """How a person calls it."""
        return f"{self.kind.name} {self.name}"


SECRET: Final = Kind("v1", "Secret", "secrets")
CONFIG_MAP: Final = Kind("v1", "ConfigMap", "configmaps")
CLAIM: Final = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", whole=True)
POD: Final = Kind("v1", "Pod", "pods", whole=True, applied=False)
REPLICA_SET: Final = Kind("apps/v1", "ReplicaSet", "replicasets", whole=True, applied=False)
JOB: Final = Kind("batch/v1", "Job", "jobs", Phase.MAIN, whole=True)
STATEFUL_SET: Final = Kind("apps/v1", "StatefulSet", "statefulsets", Phase.MAIN, whole=True)
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments", Phase.MAIN, whole=True)
INGRESS: Final = Kind("networking.k8s.io/v1", "Ingress", "ingresses", Phase.MAIN, whole=True)
HTTP_ROUTE: Final = Kind(
    "gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", Phase.MAIN, whole=True, optional=True
)
GATEWAY: Final = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways", optional=True)
EVENT: Final = Kind("v1", "Event", "events")
PLATFORM: Final = Kind("ecommerce.dev/v1alpha1", "EcommercePlatform", "ecommerceplatforms")

# Those that other operators serve (a datastore in mode Managed): they are whole, because their status is the health.
_MANAGED: Final = (
    ("postgresql.cnpg.io/v1", "Cluster", "clusters"),
    ("postgresql.cnpg.io/v1", "Database", "databases"),
    ("kafka.strimzi.io/v1", "Kafka", "kafkas"),
    ("kafka.strimzi.io/v1", "KafkaNodePool", "kafkanodepools"),
    ("elasticsearch.k8s.elastic.co/v1", "Elasticsearch", "elasticsearches"),
)

KINDS: Final = (
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    SECRET,
    CONFIG_MAP,
    Kind("v1", "Service", "services"),
    CLAIM,
    POD,
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    REPLICA_SET,
    JOB,
    DEPLOYMENT,
    STATEFUL_SET,
    Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Phase.MAIN),
    INGRESS,
    HTTP_ROUTE,
    *(Kind(version, name, plural, Phase.MAIN, whole=True, optional=True) for version, name, plural in _MANAGED),
)
_BY_NAME: Final = {(kind.api_version, kind.name): kind for kind in KINDS}


def kind_of(manifest: Mapping[str, Any]) -> Kind | None:
    """Answers the row of a manifest's kind; None for a kind that the operator does not apply."""
    kind = _BY_NAME.get((str(manifest.get("apiVersion")), str(manifest.get("kind"))))
    return kind if kind and kind.applied else None


def parse_key(text: str, namespace: str) -> Key | None:
    """Answers the key that `str(key)` wrote; None when it names a kind that is not known any more."""
    version_and_kind, _, name = text.rpartition("/")
    version, _, kind_name = version_and_kind.rpartition("/")
    kind = _BY_NAME.get((version, kind_name))
    return Key(kind, namespace, name) if kind else None
