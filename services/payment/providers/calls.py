"""What calls to a provider's API have in common: deadlines, and its errors in the port's words.

A library's error is UnavailableError of its provider unless it is known to be a refusal: an answer that nobody
understands may be another one next time, while a refusal would end a refund or a checkout for good.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from services.payment.provider import ProviderRefusedError, ProviderUnavailableError

# Seconds for one exchange with the API; and for a whole call of the port, its repetitions included: less than a job of
# the loops has (services/payment/working.py).
REQUEST_SECONDS: Final = 8.0
CALL_SECONDS: Final = 20.0
# Repetitions by the client library after a failure that may pass, with its own growing pauses.
RETRIES: Final = 1
CONNECTIONS: Final = 32
# Characters of a provider's own words that are passed on.
_LONGEST_TOLD: Final = 300

log = structlog.get_logger(__name__)


@asynccontextmanager
async def in_words_of_the_port(provider: str, refusal: Callable[[Exception], str | None]) -> AsyncIterator[None]:
    """Bounds a call, and raises ProviderRefusedError where `refusal` answers words, ProviderUnavailableError else."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            yield
    except (ProviderRefusedError, ProviderUnavailableError):
        raise
    except TimeoutError:
        raise ProviderUnavailableError(f"{provider} did not answer in time.") from None
    except Exception as error:
        told = refusal(error)
        if told is not None:
            raise ProviderRefusedError(f"{provider} refuses: {told[:_LONGEST_TOLD]}") from error
        log.warning("a provider's answer is of no use", provider=provider, error=type(error).__name__)
        raise ProviderUnavailableError(f"{provider} does not answer now.") from error


def text(value: Any) -> str:
    """Answers a text that an answer must have; raises ValueError where it has none."""
    if not isinstance(value, str) or not value:
        raise ValueError("The answer lacks a text.")
    return value


def moment(value: datetime | int | None) -> datetime:
    """Answers a time in UTC, given as such or as seconds since 1970; raises ValueError for none."""
    if value is None:
        raise ValueError("The answer lacks a time.")
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    return value if value.tzinfo else value.replace(tzinfo=UTC)
