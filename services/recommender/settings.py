"""What the recommender takes from its environment: the process that serves, and the one that trains."""

import os
from typing import Final

from pydantic import Field, field_validator

from services.database import Database, DatabaseSettings
from services.recommender.domain import Hyperparameters
from services.rpc import GrpcSettings
from services.tokens import TokenSettings

# Seconds for one statement of the trainer: it adds up millions of rows.
TRAINING_STATEMENT: Final = 60.0
_MOST_TRIALS: Final = 8


class ServeSettings(DatabaseSettings, GrpcSettings, TokenSettings):
    """What `serve` needs."""

    kafka_bootstrap_servers: str = Field(min_length=1)
    # "host:port".
    account_address: str = Field(min_length=1)
    # What is older says nothing, and is not kept.
    history_days: int = Field(default=365, ge=1, le=3650)
    # Seconds between two looks for a newer model.
    model_poll: float = Field(default=5.0, ge=0.1, le=300)


class TrainSettings(DatabaseSettings):
    """What `train` needs."""

    history_days: int = Field(default=365, ge=1, le=3650)
    # A model is made after so many new interactions, or after so many seconds if there is any news, but not sooner than
    # `train_pause` seconds after the one before.
    train_after: int = Field(default=1000, ge=1, le=100_000_000)
    train_every: float = Field(default=300.0, ge=1, le=86_400)
    train_pause: float = Field(default=10.0, ge=0, le=86_400)

    factors: int = Field(default=64, ge=2, le=256)
    # Comma separated: that which does best is taken. Shares of an account's mean confidence.
    regularization: str = "0.1,0.06,0.15"
    alpha: float = Field(default=4.0, ge=0.01, le=1000)
    iterations: int = Field(default=15, ge=1, le=100)
    view_weight: float = Field(default=1.0, ge=0.01, le=1000)
    purchase_weight: float = Field(default=4.0, ge=0.01, le=1000)
    half_life_days: float = Field(default=90.0, ge=1, le=3650)
    saturation: float = Field(default=3.0, ge=0.01, le=1000)

    # How much worse than the serving model or the list of what is popular a candidate may measure, as a share.
    tolerance: float = Field(default=0.05, ge=0, le=0.5)
    # The share of the interactions, the last in time, that a candidate is measured on.
    holdout: float = Field(default=0.1, ge=0.01, le=0.5)
    # Below this, nothing is proven.
    min_test_accounts: int = Field(default=5, ge=1, le=1_000_000)
    # The newest are learned from; memory grows with them.
    most_interactions: int = Field(default=5_000_000, ge=1000, le=100_000_000)
    # Models that are kept to fall back on.
    keep_models: int = Field(default=5, ge=2, le=100)
    # 0: as many as the process has processors.
    train_threads: int = Field(default=0, ge=0, le=256)

    @field_validator("regularization")
    @classmethod
    def _is_a_list(cls, value: str) -> str:
        try:
            numbers = [float(word) for word in value.split(",")]
        except ValueError:
            raise ValueError("Must be numbers, separated by commas.") from None
        if len(numbers) > _MOST_TRIALS or not all(0.0001 <= number <= 10 for number in numbers):
            raise ValueError(f"Must be at most {_MOST_TRIALS} numbers between 0.0001 and 10.")
        return value

    @property
    def trials(self) -> tuple[Hyperparameters, ...]:
        """What is tried; the first alone where there is much data."""
        return tuple(
            Hyperparameters(
                factors=self.factors,
                regularization=float(word),
                alpha=self.alpha,
                iterations=self.iterations,
                view_weight=self.view_weight,
                purchase_weight=self.purchase_weight,
                half_life_days=self.half_life_days,
                saturation=self.saturation,
            )
            for word in self.regularization.split(",")
        )

    @property
    def threads(self) -> int:
        """How many threads a training may use."""
        return self.train_threads or len(os.sched_getaffinity(0))

    def database(self, application_name: str) -> Database:
        """Answers a pool whose statements have time to add up everything."""
        url = self.database_url.get_secret_value()
        return Database(
            url,
            pool_size=self.database_pool_size,
            statement_timeout=TRAINING_STATEMENT,
            application_name=application_name,
        )
