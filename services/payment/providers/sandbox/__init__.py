"""The built-in provider: hosted pages, its own record, and signed webhooks, without any outside host.

`pages` are what a buyer sees, `desk` keeps the record, `events` says what webhooks hold, `sender` sends them, and
`provider` is the shop's side of it: the port.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from litestar import Router

from services.database import Database
from services.payment.providers.sandbox.desk import Desk, Misbehaviour
from services.payment.providers.sandbox.pages import pages
from services.payment.providers.sandbox.provider import SandboxProvider
from services.payment.providers.sandbox.sender import Sender


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The provider, its pages, and its background work."""

    provider: SandboxProvider
    pages: Sequence[Router]
    loops: Sequence[Sender]


def sandbox(  # noqa: PLR0913 what it is wired with
    database: Database,
    *,
    secrets: Sequence[str],
    tolerance: timedelta,
    webhook_url: str,
    deliveries: frozenset[str],
    clock: Callable[[], datetime],
    ids: Callable[[], str],
) -> Sandbox:
    """Wires the parts; `deliveries` are the ways in which webhooks misbehave: late, twice, shuffled."""
    sender = Sender(database, webhook_url, secrets, clock)
    desk = Desk(database, Misbehaviour(deliveries, Random()), clock, ids, sender.wake)
    return Sandbox(SandboxProvider(desk, secrets, tolerance), pages(desk), [sender])
