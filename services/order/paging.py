"""What may be asked for at once, and what fits into one answer."""

from collections.abc import Iterable, Sequence
from typing import Final

from services.errors import InvalidError

# Orders of one account in one answer, and accounts in one question: what a page shows, and what the gateway batches.
MAX_TAKE: Final = 100
MAX_ACCOUNTS: Final = 100
# Bytes of orders in one answer: the 4 MiB of a gRPC message without 64 KiB for the frame around them. Any single order
# fits: a hundred products with the longest texts the catalogue takes. Ordinary pages stay far below; without a bound,
# a few accounts that often buy what is described at length could fill the memory of every replica.
MAX_ANSWER: Final = 4 * 1024 * 1024 - 64 * 1024


def check_accounts(account_ids: Sequence[int]) -> list[int]:
    """Answers each account once, in the order of first mention; raises InvalidError for more than 100 mentions."""
    if len(account_ids) > MAX_ACCOUNTS:
        raise InvalidError(f"At most {MAX_ACCOUNTS} accounts can be asked for at once.")
    return list(dict.fromkeys(account_ids))


def check_page(skip: int, take: int) -> tuple[int, int]:
    """Answers (skip, take) with take capped at 100; raises InvalidError where one is negative."""
    if skip < 0 or take < 0:
        raise InvalidError("Skip and take must not be negative.")
    return skip, min(take, MAX_TAKE)


def check_size(sizes: Iterable[int]) -> None:
    """Raises InvalidError when orders of these sizes, in bytes, are too much for one answer."""
    if sum(sizes) > MAX_ANSWER:
        raise InvalidError("These orders are too large for one answer: ask for fewer at once.")
