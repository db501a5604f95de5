"""The EcommercePlatform resource as frozen, typed objects.

The API server has checked and completed a resource before the operator sees it: the rules (CEL) and the defaults are
in the CRD, and these classes carry the same defaults (a test compares both). What is still wrong here comes from a
definition in the cluster that does not fit this operator; it is told as one sentence and nothing is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

Mode = Literal["Embedded", "Managed", "External"]
# Numbers may stand without quotes in YAML, as everywhere in Kubernetes: `cpu: 2`.
Quantity = Annotated[str, BeforeValidator(lambda given: str(given) if isinstance(given, int | float) else given)]


class InvalidSpecError(ValueError):
    """The resource cannot be understood; the message is a sentence for the person who wrote it."""


class Part(BaseModel):
    """A piece of the resource: frozen, and without fields that nobody reads."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=AliasGenerator(alias=to_camel), populate_by_name=True
    )


class PullSecret(Part):
    """Names a Secret of type kubernetes.io/dockerconfigjson."""

    name: str


class Image(Part):
    """Where the services' images come from: `<registry>/<service>:<version>`; empty means the operator's own."""

    registry: str = ""
    pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    pull_secrets: tuple[PullSecret, ...] = ()


class Currency(Part):
    """What prices are in: an ISO 4217 code and how many decimals its amounts have."""

    code: str = "USD"
    decimals: int = 2


class Administrator(Part):
    """The first administrator; none is made without an e-mail address."""

    email: str = "admin@example.com"
    name: str = "Administrator"
    secret_name: str = ""


class GatewayReference(Part):
    """A Gateway (Gateway API) that lets routes of this namespace attach."""

    name: str = ""
    namespace: str = ""
    section_name: str = ""


class Ingress(Part):
    """How clients come in."""

    type: Literal["Ingress", "HTTPRoute", "None"] = "Ingress"
    host: str = ""
    class_name: str = ""
    tls_secret_name: str = ""
    https: bool = False
    annotations: Mapping[str, str] = Field(default_factory=dict)
    gateway: GatewayReference = GatewayReference()

    @property
    def secure(self) -> bool:
        """Whether clients speak HTTPS, whoever ends it."""
        return self.https or bool(self.tls_secret_name)


class Payment(Part):
    """Who takes the money, and where buyers may be sent back to; `secret_name` holds a real provider's keys."""

    provider: Literal["Sandbox", "Dodo", "Stripe"] = "Sandbox"
    mode: Literal["Test", "Live"] = "Test"
    secret_name: str = ""
    redirect_hosts: tuple[str, ...] = ()
    public_url: str = ""

    @property
    def real(self) -> bool:
        """Whether it is a company outside, and not the built-in sandbox."""
        return self.provider != "Sandbox"


class Amount(Part):
    """CPU and memory, as quantities."""

    cpu: Quantity
    memory: Quantity


class ServiceRequests(Amount):
    """What a service's pod reserves."""

    cpu: Quantity = "50m"
    memory: Quantity = "192Mi"


class ServiceLimits(Amount):
    """What a service's pod may take."""

    cpu: Quantity = "1"
    memory: Quantity = "512Mi"


class ServiceResources(Part):
    """A service's pod's resources."""

    requests: ServiceRequests = ServiceRequests()
    limits: ServiceLimits = ServiceLimits()


class TrainerRequests(Amount):
    """What the recommender's trainer reserves."""

    cpu: Quantity = "100m"
    memory: Quantity = "384Mi"


class TrainerLimits(Amount):
    """What the recommender's trainer may take."""

    cpu: Quantity = "2"
    memory: Quantity = "2Gi"


class TrainerResources(Part):
    """The resources of the recommender's trainer."""

    requests: TrainerRequests = TrainerRequests()
    limits: TrainerLimits = TrainerLimits()


class Training(Part):
    """When and how a model of the recommender is made; services/recommender/domain.py tells the words."""

    every_seconds: int = 300
    after_interactions: int = 1000
    factors: int = 64
    regularization: tuple[float, ...] = (0.1, 0.06, 0.15)
    alpha: float = 4
    iterations: int = 15
    view_weight: float = 1
    purchase_weight: float = 4
    half_life_days: float = 90
    tolerance: float = 0.05
    resources: TrainerResources = TrainerResources()


class Recommender(Part):
    """What the recommender learns from, and how."""

    history_days: int = 365
    training: Training = Training()


class Autoscaling(Part):
    """A HorizontalPodAutoscaler by CPU; without it the number of replicas is fixed."""

    min_replicas: int = 1
    max_replicas: int = 5
    target_cpu_utilization_percentage: int = Field(default=80, alias="targetCPUUtilizationPercentage")


class Variable(Part):
    """An environment variable."""

    name: str
    value: str = ""


class Toleration(Part):
    """A taint that pods may be placed in spite of."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    toleration_seconds: int | None = None


class Placed(Part):
    """What every component has: a pause of its own, and where its pods may run."""

    paused: bool = False
    node_selector: Mapping[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


class Service(Placed):
    """One of the platform's own services."""

    replicas: int = 1
    version: str = ""
    image: str = ""
    resources: ServiceResources = ServiceResources()
    autoscaling: Autoscaling | None = None
    env: tuple[Variable, ...] = ()
    development: bool = False


class Services(Part):
    """Each service by its component's name."""

    account: Service = Service()
    product: Service = Service()
    order: Service = Service()
    payment: Service = Service()
    recommender: Service = Service()
    gateway: Service = Service()

    def of(self, component: str) -> Service:
        """Answers a service by its component's name."""
        service: Service = getattr(self, component)
        return service


class Storage(Part):
    """The volume of each replica; an empty class name is the cluster's default class."""

    size: str = "8Gi"
    class_name: str = ""


class External(Part):
    """Names the Secret with the address of a datastore that somebody else runs."""

    secret_name: str = ""


class Datastore(Placed):
    """What the datastores have in common."""

    mode: Mode = "Embedded"
    replicas: int = 1
    image: str = ""
    storage: Storage = Storage()
    external: External = External()

    @property
    def ours(self) -> bool:
        """Whether it is run as a part of the platform, and not somewhere else."""
        return self.mode != "External"


class PostgresRequests(Amount):
    """What PostgreSQL's pod reserves."""

    cpu: Quantity = "100m"
    memory: Quantity = "256Mi"


class PostgresLimits(Amount):
    """What PostgreSQL's pod may take."""

    cpu: Quantity = "2"
    memory: Quantity = "1Gi"


class PostgresResources(Part):
    """PostgreSQL's pod's resources."""

    requests: PostgresRequests = PostgresRequests()
    limits: PostgresLimits = PostgresLimits()


class Postgres(Datastore):
    """PostgreSQL; `settings` are server parameters by name."""

    resources: PostgresResources = PostgresResources()
    settings: Mapping[str, str] = Field(default_factory=dict)


class JavaRequests(Amount):
    """What a pod of Kafka or Elasticsearch reserves."""

    cpu: Quantity = "100m"
    memory: Quantity = "1Gi"


class JavaLimits(Amount):
    """What a pod of Kafka or Elasticsearch may take; half of the memory becomes its heap."""

    cpu: Quantity = "2"
    memory: Quantity = "1536Mi"


class JavaResources(Part):
    """The resources of a pod of Kafka or Elasticsearch."""

    requests: JavaRequests = JavaRequests()
    limits: JavaLimits = JavaLimits()


class Kafka(Datastore):
    """Kafka."""

    resources: JavaResources = JavaResources()


class Elasticsearch(Datastore):
    """Elasticsearch."""

    resources: JavaResources = JavaResources()


class Datastores(Part):
    """Each datastore by its component's name."""

    postgres: Postgres = Postgres()
    kafka: Kafka = Kafka()
    elasticsearch: Elasticsearch = Elasticsearch()

    def of(self, component: str) -> Datastore:
        """Answers a datastore by its component's name."""
        datastore: Datastore = getattr(self, component)
        return datastore


class Spec(Part):
    """What somebody wishes for; without any field it is a working small shop."""

    version: str = ""
    image: Image = Image()
    paused: bool = False
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    currency: Currency = Currency()
    administrator: Administrator = Administrator()
    ingress: Ingress = Ingress()
    payment: Payment = Payment()
    recommender: Recommender = Recommender()
    services: Services = Services()
    datastores: Datastores = Datastores()


@dataclass(frozen=True, slots=True)
class Platform:
    """One EcommercePlatform: who it is, and what is wished for."""

    name: str
    namespace: str
    uid: str
    generation: int
    deleting: bool
    spec: Spec

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Answers the resource as an object; raises InvalidSpecError with a sentence that names the field."""
        metadata = body["metadata"]
        try:
            spec = Spec.model_validate(dict(body.get("spec") or {}))
        except ValidationError as error:
            raise InvalidSpecError(_sentence(error)) from None
        return cls(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 1),
            deleting="deletionTimestamp" in metadata,
            spec=spec,
        )


def _sentence(error: ValidationError) -> str:
    faults = (f"spec.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:3])
    return f"This operator does not understand the resource: {'; '.join(faults)}. Does the CRD fit the operator?"
