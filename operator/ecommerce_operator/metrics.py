"""What the operator counts, in Prometheus's form."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

RECONCILES: Final = Counter(
    "ecommerce_operator_reconciles_total",
    "Passes over a platform, by result (done, refused, unreachable, error).",
    ["result"],
    registry=REGISTRY,
)
RECONCILE_SECONDS: Final = Histogram(
    "ecommerce_operator_reconcile_seconds",
    "How long a pass took.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60),
    registry=REGISTRY,
)
API_REQUESTS: Final = Counter(
    "ecommerce_operator_api_requests_total",
    "Requests to the API server, by verb and the status of the answer (0: none came).",
    ["verb", "status"],
    registry=REGISTRY,
)
RENDERS: Final = Counter("ecommerce_operator_renders_total", "Runs of helm.", registry=REGISTRY)
PLATFORMS: Final = Gauge("ecommerce_operator_platforms", "Platforms that are looked after.", registry=REGISTRY)
READY: Final = Gauge(
    "ecommerce_operator_components_ready",
    "Ready components of a platform.",
    ["namespace", "platform"],
    registry=REGISTRY,
)
DRIFT: Final = Counter(
    "ecommerce_operator_drift_corrections_total",
    "Objects that somebody had changed or deleted and that were brought back.",
    ["kind"],
    registry=REGISTRY,
)
