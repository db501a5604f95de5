"""`make evaluate`: measures the service's model beside two baselines, on MovieLens 100k or a file of yours.

The split is random and stratified by account: of each account's interactions 75 % are learned from, and the accounts
are asked about the rest. Every seed draws a split of its own, and its hyperparameters are chosen on validation splits
of the part that is learned from.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from local.errors import LocalError
from local.progress import to_terminal
from tests.evaluate import movielens, ratings, table
from tests.evaluate.als import Als
from tests.evaluate.baselines import ItemKnn, Popularity
from tests.evaluate.errors import EvaluationError
from tests.evaluate.trial import Contestant, Trial

MOST_SEEDS = 20
CONTESTANTS = (
    Contestant("popularity", Popularity()),
    Contestant(
        "item-kNN",
        ItemKnn(),
        {"weighting": ("cosine", "TF-IDF", "BM25"), "neighbours": (20, 50, 100, 200, 400), "emphasis": (0.0, 1.0)},
    ),
    Contestant(
        "the service (ALS)",
        Als(),
        {
            "regularization": (0.06, 0.08, 0.1, 0.12, 0.15),
            "alpha": (2.0, 4.0, 8.0),
            "saturation": (1.0, 3.0, 30.0),
            "factors": (32, 64, 96),
        },
    ),
)


def evaluate(data: Path | None, seeds: int, *, in_time: bool = False) -> None:
    """Prints the progress and the table; raises EvaluationError or a LocalError."""
    began = time.monotonic()
    path = data or movielens.path(to_terminal)
    read = ratings.read(path)
    kind = "the last in time" if in_time else "drawn at random"
    to_terminal(
        f"{path.name}: {len(read):,} interactions of {read.account_count:,} accounts with {read.product_count:,} "
        f"products; each account is asked about 25 % of its own, {kind}; {seeds} seeds"
    )
    # As in the serving process; several for one small product of matrices would only wait for each other.
    with threadpool_limits(1, "blas"):
        found = Trial(read, in_time).run(CONTESTANTS, seeds, to_terminal)
    to_terminal(f"\nmean ± standard deviation of {seeds} seeds, {time.monotonic() - began:.0f} s in all\n")
    for line in table.lines(found, published=data is None and not in_time):
        to_terminal(line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line; 1 with one line for what its reader can mend."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, help="comma or tab separated: account, product[, weight][, time]")
    parser.add_argument("--seeds", type=int, default=5, choices=range(1, MOST_SEEDS + 1), metavar="N")
    parser.add_argument("--in-time", action="store_true", help="ask about the last of each account's interactions")
    options = parser.parse_args(arguments)
    try:
        evaluate(options.data, options.seeds, in_time=options.in_time)
    except (EvaluationError, LocalError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
