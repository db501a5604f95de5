"""What is measured: the backlog, and the provider's calls by their ends."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from prometheus_client import REGISTRY

from services.payment.domain import Backlog, Customer
from services.payment.measures import BacklogLoop, MeasuredProvider
from services.payment.provider import Provider, ProviderRefusedError, ProviderUnavailableError

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Waiting:
    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog

    async def backlog(self) -> Backlog:
        return self._backlog


class Failing:
    """A provider of which only one call is made."""

    name = "measured"

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def ensure_customer(self, customer: Customer) -> str:
        if self._error is not None:
            raise self._error
        return f"cus_{customer.account_id}"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_the_backlog_is_shown() -> None:
    """With the age of its oldest part, and nothing when nothing waits."""
    backlog = Backlog(3, 2, 1, NOW - timedelta(seconds=90), None)
    await BacklogLoop(Waiting(backlog), lambda: NOW).run_once()
    assert value("payment_order_updates_waiting") == 3
    assert value("payment_refunds_waiting") == 2
    assert value("payment_listings_waiting") == 1
    assert value("payment_oldest_order_update_seconds") == 90
    assert value("payment_oldest_refund_seconds") == 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "answered"),
        (ProviderUnavailableError("Away."), "unavailable"),
        (ProviderRefusedError("No."), "refused"),
        (ValueError("A fault."), "failed"),
    ],
)
async def test_calls_are_counted_by_how_they_end(error: Exception | None, outcome: str) -> None:
    """And whatever a call raises or answers comes through."""
    labels = {"provider": "measured", "call": "ensure_customer", "outcome": outcome}
    before = value("payment_provider_calls_total", **labels)
    measured = MeasuredProvider(cast("Provider", Failing(error)))
    if error is None:
        assert await measured.ensure_customer(Customer(5, "a@example.com", "A")) == "cus_5"
    else:
        with pytest.raises(type(error)):
            await measured.ensure_customer(Customer(5, "a@example.com", "A"))
    assert value("payment_provider_calls_total", **labels) == before + 1
