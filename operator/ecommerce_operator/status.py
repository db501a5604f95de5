"""From what was observed to the status that people and programs read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ecommerce_operator.model import Health, Object, Observation
from ecommerce_operator.spec import Platform


def status(  # noqa: PLR0913 each is one thing that was observed
    platform: Platform,
    previous: Mapping[str, Any],
    observations: Sequence[Observation],
    now: datetime,
    *,
    version: str,
    address: str = "",
    trouble: Health | None = None,
) -> dict[str, Any]:
    """Answers the whole new status; the equal dict when nothing but the time has changed.

    `version` is what the platform as a whole is asked to run, `address` what `address_of` found (empty: none yet).
    `trouble` is what keeps the operator from its work as a whole (a chart that cannot be rendered, an API error).
    """
    raise NotImplementedError


def invalid(body: Object, previous: Mapping[str, Any], sentence: str, now: datetime) -> dict[str, Any]:
    """Answers the status of a resource that cannot be understood: Stalled, with the sentence."""
    raise NotImplementedError


def address_of(obj: Object) -> str:
    """Answers the host name or IP that an Ingress or a Gateway is reached at; empty while it has none."""
    raise NotImplementedError
