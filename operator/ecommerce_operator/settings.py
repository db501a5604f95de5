"""What the operator takes from its environment; read once, at the composition root."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from ecommerce_operator.model import OperatorSettings


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals."""

    # In a checkout the charts are beside this package; an image says where they are.
    charts: Path = Path(__file__).parents[2] / "charts"
    helm: str = "helm"
    # A file; empty means the service account of the pod.
    kubeconfig: str = ""
    # The namespaces whose platforms are looked after, separated by commas; empty means all.
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()

    platform_version: str = ""
    image_registry: str = "docker.io/ecommerce-platform"
    image_pull_policy: str = "IfNotPresent"
    postgres_image: str = ""
    kafka_image: str = ""
    elasticsearch_image: str = ""

    host: str = "0.0.0.0"  # noqa: S104 the kubelet and Prometheus come from outside of the pod
    # 0 takes a free one.
    metrics_port: int = Field(default=9090, ge=0, le=65535)
    health_port: int = Field(default=8081, ge=0, le=65535)
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def _separated(cls, value: str | tuple[str, ...]) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(part.strip() for part in parts if part.strip())

    @property
    def platform(self) -> OperatorSettings:
        """What platforms get where they name nothing themselves."""
        return OperatorSettings(
            version=self.platform_version,
            registry=self.image_registry.rstrip("/"),
            pull_policy=self.image_pull_policy,
            postgres_image=self.postgres_image,
            kafka_image=self.kafka_image,
            elasticsearch_image=self.elasticsearch_image,
        )
