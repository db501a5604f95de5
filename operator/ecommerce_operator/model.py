"""What the operator's parts say to one another: releases that are wished for, and the health that was observed.

Everything here is plain data without behaviour, so that what decides (`releases`, `health`, `status`) stays pure and
what acts (rendering, applying, watching) can be exchanged. Kubernetes objects are plain dicts, as the API answers them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

GROUP: Final = "ecommerce.dev"
VERSION: Final = "v1alpha1"
KIND: Final = "EcommercePlatform"
PLURAL: Final = "ecommerceplatforms"

PLATFORM_LABEL: Final = f"{GROUP}/platform"
COMPONENT_LABEL: Final = f"{GROUP}/component"
STAGE_ANNOTATION: Final = f"{GROUP}/stage"
OPTIONAL_ANNOTATION: Final = f"{GROUP}/optional"
SECRETS_DIGEST_ANNOTATION: Final = f"{GROUP}/secrets-digest"

Object = Mapping[str, Any]


class State(StrEnum):
    """How an object or a component is; none of them is final, each is judged anew whenever something changes."""

    READY = "Ready"
    PROGRESSING = "Progressing"  # on its way, and within its deadline
    FAILED = "Failed"  # does not get there without a change or help


@dataclass(frozen=True, slots=True)
class Health:
    """A state and why: `reason` is one CamelCase word, `message` a sentence for a person.

    READY with another reason than "Ready" is a warning: it works, and the message says what somebody should look at.
    Messages hold nothing that changes by itself (no durations, no pod counts of the past), so equal health is equal.
    """

    state: State
    reason: str
    message: str = ""

    @property
    def ready(self) -> bool:
        """Whether it does what it is for."""
        return self.state is State.READY


@dataclass(frozen=True, slots=True)
class Log:
    """Names a container's log: of its present run, or of the one before (`previous`)."""

    pod: str
    container: str
    previous: bool = False


@dataclass(frozen=True, slots=True)
class Related:
    """What was seen around an object at the moment `at` (aware, UTC); it may hold more than concerns the object.

    Lists may cover the whole component: who judges picks what belongs to the object, by selector, owner and name.
    `logs` holds the last line that was written, for those of `health.logs_wanted` which could be read.
    """

    at: datetime
    pods: Sequence[Object] = ()
    replica_sets: Sequence[Object] = ()
    claims: Sequence[Object] = ()
    events: Sequence[Object] = ()
    logs: Mapping[Log, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """One component's wish: a chart with its values.

    `requires` names components that must have been ready once before this one is applied for the first time. `after`
    names those that go first: while one of them progresses this waits; when it is ready or has failed, this goes on.
    `version` is the image tag asked for, empty where the chart decides it.
    """

    component: str
    chart: str
    name: str
    values: Mapping[str, Any]
    requires: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    paused: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one component; `pending` says that its wish is not applied yet (paused, or waiting)."""

    component: str
    health: Health
    version: str = ""
    paused: bool = False
    pending: bool = False


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """What the operator brings along for all platforms: the version and the images where a resource names none.

    `postgres_image`, `kafka_image` and `elasticsearch_image` are whole references (`repository:tag`); empty leaves the
    charts' own. `registry` has no slash at its end.
    """

    version: str
    registry: str = "docker.io/ecommerce-platform"
    pull_policy: str = "IfNotPresent"
    postgres_image: str = ""
    kafka_image: str = ""
    elasticsearch_image: str = ""


@dataclass(frozen=True, slots=True)
class SecretNames:
    """The Secrets that the operator makes for a platform, by name; and Kafka's cluster id, which is no secret.

    `databases` holds one for each service that has a database (keys username, password, database, url).
    `service_secrets` is what account knows other services by, `payment_identity` payment's part of it, and
    `payment_sandbox` what the built-in provider signs its webhooks with.
    `elasticsearch_ca_key` is the key under which the Secret of an external Elasticsearch holds a certificate authority;
    empty where it holds none.
    """

    superuser: str
    databases: Mapping[str, str]
    encryption_key: str
    administrator: str
    service_secrets: str
    payment_identity: str
    payment_sandbox: str
    kafka_cluster_id: str
    elasticsearch_ca_key: str = ""

    @classmethod
    def of(
        cls, platform: str, services: Sequence[str], kafka_cluster_id: str, elasticsearch_ca_key: str = ""
    ) -> "SecretNames":
        """Answers the names for a platform whose `services` have databases."""
        return cls(
            superuser=f"{platform}-postgres",
            databases={service: f"{platform}-{service}-database" for service in services},
            encryption_key=f"{platform}-encryption-key",
            administrator=f"{platform}-administrator",
            service_secrets=f"{platform}-service-secrets",
            payment_identity=f"{platform}-payment-identity",
            payment_sandbox=f"{platform}-payment-sandbox",
            kafka_cluster_id=kafka_cluster_id,
            elasticsearch_ca_key=elasticsearch_ca_key,
        )
