"""What the account service takes from its environment, by command."""

import os
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.account.encryption import KeyCipher
from services.account.service_sign_in import MIN_SECRET
from services.database import DatabaseSettings
from services.rpc import GrpcSettings
from services.tokens import TokenPolicy, TokenSettings, is_service_name


class AdministratorSettings(BaseSettings):
    """The administrator to be made by `migrate`; none when the address is empty."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    admin_email: str = ""
    admin_password: SecretStr = Field(default=SecretStr(""), validate_default=True)
    admin_name: str = "Administrator"

    @field_validator("admin_password", mode="after")
    @classmethod
    def _comes_with_the_address(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("admin_email") and not value.get_secret_value():
            raise ValueError("Required when ADMIN_EMAIL is given.")
        return value


class KeySettings(DatabaseSettings, TokenSettings):
    """What is needed to handle signing keys."""

    # 32 random bytes in base64; several are separated by commas, the one to encrypt with first.
    key_encryption_key: Annotated[list[SecretStr], NoDecode]
    key_rotation_days: int = Field(default=30, ge=1, le=3650)
    # Seconds.
    token_lifetime: int = Field(default=TokenPolicy.lifetime, ge=60, le=365 * 24 * 60 * 60)

    @field_validator("key_encryption_key", mode="before")
    @classmethod
    def _separated(cls, value: str) -> list[str]:
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("key_encryption_key")
    @classmethod
    def _usable(cls, value: list[SecretStr]) -> list[SecretStr]:
        KeyCipher([key.get_secret_value() for key in value])
        return value

    @property
    def cipher(self) -> KeyCipher:
        """What encrypts the signing keys."""
        return KeyCipher([key.get_secret_value() for key in self.key_encryption_key])

    @property
    def token_policy(self) -> TokenPolicy:
        """What is written into every token."""
        return TokenPolicy(self.token_issuer, self.token_audience, self.token_lifetime)


class HashingSettings(BaseSettings):
    """How much hashing happens at once; each thread takes a core and 19 MiB while it works."""

    hashing_threads: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1, le=256)
    # Callers that may wait for a thread: at 30 ms a hash the last of them is served in two seconds.
    hashing_waiting: int = Field(default_factory=lambda given: 64 * given["hashing_threads"], ge=0)


class ServiceSecretSettings(BaseSettings):
    """By which secrets services of the platform sign in; without any, none can."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    # Such as "payment:<secret>"; several are separated by commas, also of one service while one follows another.
    service_secrets: Annotated[list[SecretStr], NoDecode] = Field(default_factory=list)

    @field_validator("service_secrets", mode="before")
    @classmethod
    def _pairs_separated(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("service_secrets")
    @classmethod
    def _pairs_usable(cls, value: list[SecretStr]) -> list[SecretStr]:
        for pair in value:
            service, _, secret = pair.get_secret_value().partition(":")
            if not is_service_name(service):
                raise ValueError("Each begins with the name of a service and a colon.")
            if len(secret) < MIN_SECRET:
                raise ValueError(f"Each has at least {MIN_SECRET} characters after the colon.")
        return value

    @property
    def secrets_by_service(self) -> dict[str, list[str]]:
        """The secrets that are accepted from each service."""
        secrets: dict[str, list[str]] = {}
        for pair in self.service_secrets:
            service, _, secret = pair.get_secret_value().partition(":")
            secrets.setdefault(service, []).append(secret)
        return secrets


class ServeSettings(KeySettings, HashingSettings, ServiceSecretSettings, GrpcSettings):
    """What `serve` needs."""
