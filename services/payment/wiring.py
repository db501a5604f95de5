"""Which provider is used, and what comes with it: pages and loops of its own, where it is the built-in one.

Only the chosen one is imported: each brings a client library that takes its time to load.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from litestar import Router

from services import runtime
from services.database import Database
from services.payment.provider import Provider
from services.payment.settings import ServeSettings


class Closing(Protocol):
    """What holds connections."""

    async def close(self) -> None:
        """Closes them."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A provider, the pages that it has here, its background work, and what is to be closed with it."""

    provider: Provider
    pages: Sequence[Router] = ()
    loops: Sequence[runtime.Loop] = ()
    others: Sequence[Closing] = ()

    async def close(self) -> None:
        """Closes every connection of it."""
        for each in (self.provider, *self.others):
            await each.close()


def choose(
    settings: ServeSettings, database: Database, clock: Callable[[], datetime], ids: Callable[[], str]
) -> Chosen:
    """Answers the provider that the settings name, not yet connected to anything."""
    tolerance = timedelta(seconds=settings.webhook_tolerance)
    key = settings.provider_api_key.get_secret_value()
    match settings.payment_provider:
        case "dodo":
            from services.payment.providers.dodo import DodoProvider  # noqa: PLC0415 see the module's docstring

            return Chosen(
                DodoProvider(
                    key,
                    settings.secrets,
                    mode=settings.provider_mode,
                    base_url=settings.provider_url,
                    tolerance=tolerance,
                )
            )
        case "stripe":
            from services.payment.providers.stripe import StripeProvider  # noqa: PLC0415 likewise

            return Chosen(StripeProvider(key, settings.secrets, base_url=settings.provider_url, tolerance=tolerance))
        case "sandbox":
            from services.payment.providers.sandbox import sandbox  # noqa: PLC0415 likewise

            made = sandbox(
                database,
                secrets=settings.secrets,
                tolerance=tolerance,
                webhook_url=settings.webhook_url,
                deliveries=settings.deliveries,
                clock=clock,
                ids=ids,
            )
            return Chosen(made.provider, made.pages, made.loops, made.loops)
