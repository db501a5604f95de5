"""What the payment service takes from its environment."""

import base64
import binascii
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from services.database import DatabaseSettings
from services.payment.rules import Rules
from services.rpc import GrpcSettings
from services.serving import HttpSettings
from services.tokens import TokenSettings

_HTTP: Final = HttpSettings()
ProviderName = Literal["sandbox", "dodo", "stripe"]
_STANDARD: Final = "whsec_"
_DELIVERIES: Final = {"late", "twice", "shuffled"}
# Half an hour, and the time that a call takes to arrive there.
_STRIPE_SHORTEST: Final = 1_860


class ServeSettings(DatabaseSettings, GrpcSettings, TokenSettings):
    """What `serve` needs."""

    kafka_bootstrap_servers: str = Field(min_length=1)
    # Each "host:port".
    account_address: str = Field(min_length=1)
    order_address: str = Field(min_length=1)
    http_host: str = "0.0.0.0"  # noqa: S104 in a pod, everything outside of it is outside of 127.0.0.1
    http_port: int = Field(default=8081, ge=1, le=65535)
    # What balancers get to notice that it leaves, before it stops.
    leave_seconds: float = Field(default=_HTTP.leave_seconds, ge=0)
    # Shared with account, which signs this service in for it.
    service_secret: SecretStr = Field(min_length=24)

    payment_provider: ProviderName = "sandbox"
    provider_api_key: SecretStr = SecretStr("")
    # Dodo has an address of its own for tests; Stripe tells tests by the key.
    provider_mode: Literal["test", "live"] = "test"
    # In place of the address of the provider's API.
    provider_url: str = ""
    # Comma separated, the newest first; for sandbox and dodo "whsec_" and base64.
    webhook_secrets: SecretStr
    # Seconds by which a webhook's timestamp may differ from the clock here.
    webhook_tolerance: int = Field(default=300, ge=1, le=3600)

    # Comma separated host names without port; "*.example.com" allows every host under it.
    redirect_hosts: str = ""
    # Where buyers reach the platform; empty: where the request came in.
    public_url: str = ""
    # Seconds that a checkout page can be paid on; at most the 24 hours that Stripe allows.
    checkout_lifetime: int = Field(default=3600, ge=1, le=86_400)
    # Seconds after which the provider is asked about a session that is still open.
    reconcile_after: int = Field(default=900, ge=1)
    # Where the sandbox sends its webhooks; empty: to this process.
    sandbox_webhook_url: str = ""
    # Words of late, twice and shuffled: the ways in which the sandbox's deliveries misbehave.
    sandbox_deliveries: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The webhook secrets, the newest first."""
        return tuple(_words(self.webhook_secrets.get_secret_value()))

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The hosts to which a buyer may be sent back."""
        return tuple(_words(self.redirect_hosts))

    @property
    def rules(self) -> Rules:
        """Where buyers may be sent: with the sandbox, whose pages are ours, back to where they came from."""
        return Rules(self.allowed_hosts, self.public_url, own_pages=self.payment_provider == "sandbox")

    @property
    def webhook_url(self) -> str:
        """Where the sandbox sends its webhooks."""
        return self.sandbox_webhook_url or f"http://127.0.0.1:{self.http_port}/webhook/payment"

    @property
    def deliveries(self) -> frozenset[str]:
        """The ways in which the sandbox's deliveries misbehave."""
        return frozenset(_words(self.sandbox_deliveries.replace(" ", ",")))

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        value = value.removesuffix("/")
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query):
            raise ValueError("Must be of the form https://shop.example.com, without a path.")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.payment_provider != "sandbox" and not self.provider_api_key.get_secret_value():
            raise ValueError(f"PROVIDER_API_KEY: {self.payment_provider} needs one.")
        if self.payment_provider == "stripe" and self.checkout_lifetime < _STRIPE_SHORTEST:
            raise ValueError(f"CHECKOUT_LIFETIME: stripe takes {_STRIPE_SHORTEST} seconds at least.")
        if not self.secrets:
            raise ValueError("WEBHOOK_SECRETS: name at least one.")
        if self.payment_provider != "stripe" and not all(map(_is_standard, self.secrets)):
            raise ValueError("WEBHOOK_SECRETS: each must be whsec_ and base64.")
        if unknown := self.deliveries - _DELIVERIES:
            raise ValueError(f"SANDBOX_DELIVERIES: knows late, twice and shuffled, not {', '.join(sorted(unknown))}.")
        return self


def _words(text: str) -> list[str]:
    return [word for word in map(str.strip, text.split(",")) if word]


def _is_standard(secret: str) -> bool:
    """Answers whether it is a secret of Standard Webhooks; nothing of it is repeated in an error."""
    try:
        return secret.startswith(_STANDARD) and bool(base64.b64decode(secret.removeprefix(_STANDARD), validate=True))
    except (binascii.Error, ValueError):
        return False
