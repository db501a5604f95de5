"""Interactions of a file: who dealt with what, how much it says, and when.

Comma or tab separated, with a header that names the columns. Names are those of the shop (account, product, weight,
time) or what published data sets call them; what follows a colon in a name (`user_id:token`) is a type, and ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from services.recommender.model import Flags, Floats, Integers
from tests.evaluate.errors import EvaluationError

# More than the trainer itself takes by default would measure something that the service never does.
MOST_LINES: Final = 5_000_000
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("account", "account_id", "user", "user_id"),
    "product": ("product", "product_id", "item", "item_id"),
    "weight": ("weight", "rating", "value"),
    "time": ("time", "at", "timestamp"),
}
_NEEDED: Final = ("account", "product")


@dataclass(frozen=True, eq=False)
class Ratings:
    """Pairs of account and product, each once: n of them, of `account_count` accounts and `product_count` products.

    `accounts` and `products` [n] are numbers from 0; `weights` [n] are above 0, 1 where the file has none. `times` [n]
    are seconds, or None where the file has none.
    """

    accounts: Integers
    products: Integers
    weights: Floats
    times: npt.NDArray[np.float64] | None
    account_count: int
    product_count: int

    def __len__(self) -> int:
        return len(self.accounts)

    def where(self, chosen: Flags) -> "Ratings":
        """Answers the chosen pairs; accounts and products keep their numbers."""
        times = None if self.times is None else self.times[chosen]
        counts = self.account_count, self.product_count
        return Ratings(self.accounts[chosen], self.products[chosen], self.weights[chosen], times, *counts)


def read(path: Path) -> Ratings:
    """Reads a file; several lines of one pair are added up, at their newest time. Raises EvaluationError."""
    table = _table(path)
    columns = {"account": table["account"], "product": table["product"]}
    columns["weight"] = _weights(table, path) if "weight" in table else 1.0
    if "time" in table:
        columns["time"] = _times(table["time"], path)
    frame = pd.DataFrame(columns)
    combined = {name: how for name, how in (("weight", "sum"), ("time", "max")) if name in frame}
    pairs = frame.groupby(["account", "product"], sort=True, as_index=False).agg(combined)
    accounts, account_names = pd.factorize(pairs["account"])
    products, product_names = pd.factorize(pairs["product"])
    return Ratings(
        accounts.astype(np.int32),
        products.astype(np.int32),
        pairs["weight"].to_numpy(np.float32),
        pairs["time"].to_numpy(np.float64) if "time" in pairs else None,
        len(account_names),
        len(product_names),
    )


def _table(path: Path) -> Any:
    """Answers the file's cells as text, under our names."""
    try:
        with path.open(encoding="utf-8") as file:
            separator = "\t" if "\t" in file.readline() else ","
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, nrows=MOST_LINES + 1)
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, pd.errors.ParserError) as error:  # a UnicodeDecodeError is a ValueError, too
        raise EvaluationError(f"{path} is no table of text: {error}") from None
    if len(table) > MOST_LINES:
        raise EvaluationError(f"{path} has more than {MOST_LINES:,} lines. Give its newest ones.")
    table = table.rename(columns=_renamed(list(table.columns), path))
    _check_ids(table, path)
    return table


def _renamed(header: list[str], path: Path) -> dict[str, str]:
    ours: dict[str, str] = {}
    for column in header:
        bare = column.partition(":")[0].strip().lower()
        for name, others in _NAMES.items():
            if bare in others and name not in ours.values():
                ours[column] = name
    absent = [name for name in _NEEDED if name not in ours.values()]
    if absent:
        raise EvaluationError(
            f"{path} has no column {' and no column '.join(absent)}; its first line is {', '.join(header)[:200]}. "
            "The first line has to name the columns: account, product and, where there are some, weight and time."
        )
    return ours


def _check_ids(table: Any, path: Path) -> None:
    if table.empty:
        raise EvaluationError(f"{path} has no line below its header.")
    for name in _NEEDED:
        _refuse(table[name].str.strip() == "", table[name], path, f"{name} is empty")


def _weights(table: Any, path: Path) -> Any:
    weights = pd.to_numeric(table["weight"], errors="coerce")
    _refuse(~(np.isfinite(weights) & (weights > 0)), table["weight"], path, "a weight is a number above 0, not")
    return weights


def _times(cells: Any, path: Path) -> Any:
    """Answers seconds; cells are seconds since 1970, or dates and times of ISO 8601."""
    seconds = pd.to_numeric(cells, errors="coerce")
    if seconds.isna().all():
        moments = pd.to_datetime(cells, errors="coerce", utc=True, format="ISO8601")
        seconds = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    _refuse(
        ~np.isfinite(seconds), cells, path, "a time is a number of seconds or of the form 2026-01-31T12:00:00Z, not"
    )
    return seconds


def _refuse(wrong: Any, cells: Any, path: Path, what: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        # The header is line 1.
        raise EvaluationError(f"{path}, line {row + 2}: {what} {cells.iloc[row]!r}.")
