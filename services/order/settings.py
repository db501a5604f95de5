"""What the order service takes from its environment, by command."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.database import normalised
from services.tokens import TokenPolicy

_POLICY = TokenPolicy()


class DatabaseSettings(BaseSettings):
    """What every command needs."""

    # What was given is never repeated in an error: there is a password in it.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    database_url: SecretStr

    @field_validator("database_url")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        normalised(value.get_secret_value())
        return value


class ServeSettings(DatabaseSettings):
    """What `serve` needs."""

    kafka_bootstrap_servers: str = Field(min_length=1)
    # Each "host:port".
    account_address: str = Field(min_length=1)
    product_address: str = Field(min_length=1)
    database_pool_size: int = Field(default=10, ge=1, le=100)
    grpc_host: str = "0.0.0.0"  # noqa: S104 a pod's port is reached from outside of it
    grpc_port: int = Field(default=8080, ge=0, le=65535)
    token_issuer: str = Field(default=_POLICY.issuer, min_length=1)
    token_audience: str = Field(default=_POLICY.audience, min_length=1)

    @property
    def token_policy(self) -> TokenPolicy:
        """What is demanded of every token."""
        return TokenPolicy(self.token_issuer, self.token_audience)
