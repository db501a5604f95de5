"""What the product service takes from its environment, by command."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, model_validator

from services.database import DatabaseSettings
from services.rpc import GrpcSettings
from services.tokens import TokenSettings


class IndexSettings(DatabaseSettings):
    """What the commands that build an index need."""

    # One URL or several, separated by commas; with user:password@ where the cluster wants them.
    elasticsearch_url: SecretStr = Field(min_length=1)
    # The certificate authority of a cluster that signs its own certificates.
    elasticsearch_ca_file: FilePath | None = None
    kafka_bootstrap_servers: str = Field(min_length=1)

    @model_validator(mode="after")
    def _check_elasticsearch(self) -> Self:
        schemes = {_scheme(url) for url in self.elasticsearch_urls}
        if not schemes <= {"http", "https"}:
            raise ValueError("ELASTICSEARCH_URL must be http://host:port or https://host:port, or several of them.")
        if self.elasticsearch_ca_file and schemes != {"https"}:
            raise ValueError("ELASTICSEARCH_CA_FILE needs https in ELASTICSEARCH_URL.")
        return self

    @property
    def elasticsearch_urls(self) -> list[str]:
        """Each node's address."""
        return [url.strip() for url in self.elasticsearch_url.get_secret_value().split(",")]


class ServeSettings(IndexSettings, GrpcSettings, TokenSettings):
    """What `serve` needs."""

    # "host:port".
    account_address: str = Field(min_length=1)
    # The shop's: the only one that prices are in. ISO 4217.
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    # False where other replicas keep the index.
    indexer_enabled: bool = True


def _scheme(url: str) -> str:
    """Answers the scheme of a whole URL, and nothing for what is none."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return parts.scheme if whole else ""
