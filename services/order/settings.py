"""What the order service takes from its environment."""

from pydantic import Field

from services.database import DatabaseSettings
from services.rpc import GrpcSettings
from services.tokens import TokenSettings


class ServeSettings(DatabaseSettings, GrpcSettings, TokenSettings):
    """What `serve` needs."""

    kafka_bootstrap_servers: str = Field(min_length=1)
    # Each "host:port".
    account_address: str = Field(min_length=1)
    product_address: str = Field(min_length=1)
