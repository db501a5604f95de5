"""The experiment: for every seed a split, hyperparameters from a validation split of its learning part, then one test.

The test part is ranked for once, by what was chosen; nothing is chosen by it.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final, Protocol

import numpy as np

from local.progress import Report
from services.recommender import measuring
from services.recommender.measuring import Metrics
from services.recommender.model import Integers
from tests.evaluate import choosing
from tests.evaluate.ratings import Ratings
from tests.evaluate.splits import split

K: Final = 10
# The share that is learned from; published figures for MovieLens 100k use the same.
SHARE: Final = 0.75
# Validation asks about a tenth only: which regularization is best depends on how much was learned from, and this is
# nearly as much as for the test. It is drawn twice, since a tenth is little.
_VALIDATION_SHARE: Final = 0.9
_VALIDATION_DRAWS: Final = 2
# Between the seeds of validation and those of tests.
_APART: Final = 10_000


class System(Protocol):
    """Learns from pairs and ranks products for accounts; its text says what it is set to."""

    def rank(self, learned: Ratings, accounts: Integers, k: int) -> list[Integers]:
        """Answers at most k products for each of the accounts, best first, none that the account had."""


@dataclass(frozen=True)
class Contestant:
    """A system as it starts, and what its fields may become."""

    name: str
    start: Any
    options: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """Ratings and how they are split."""

    ratings: Ratings
    in_time: bool = False

    def run(self, contestants: Sequence[Contestant], seeds: int, report: Report) -> dict[str, list[Metrics]]:
        """Answers what each contestant reached on the test part of each seed."""
        found: dict[str, list[Metrics]] = {contestant.name: [] for contestant in contestants}
        for seed in range(seeds):
            learned, asked = split(self.ratings, SHARE, seed, in_time=self.in_time)
            for contestant in contestants:
                began = time.monotonic()
                chosen = self._choose(contestant, learned, seed)
                metrics = ask(chosen, learned, asked)
                found[contestant.name].append(metrics)
                took = time.monotonic() - began
                report(f"  seed {seed}  nDCG@{K} {metrics.ndcg:.4f}  {took:5.1f} s  {chosen}")
        return found

    def _choose(self, contestant: Contestant, learned: Ratings, seed: int) -> System:
        start = contestant.start
        if any(field.name == "seed" for field in dataclasses.fields(start)):
            start = dataclasses.replace(start, seed=seed)
        if not contestant.options:
            return start  # type: ignore[no-any-return]  # every start is a System
        seeds = range(seed + _APART, seed + _APART * (1 + _VALIDATION_DRAWS), _APART)
        draws = [split(learned, _VALIDATION_SHARE, each, in_time=self.in_time) for each in seeds]
        best, _ = choosing.best(
            start, contestant.options, lambda system: fmean(ask(system, *draw).ndcg for draw in draws)
        )
        return best  # type: ignore[no-any-return]  # as above


def ask(system: System, learned: Ratings, asked: Ratings) -> Metrics:
    """Answers how well a system that has learned one part tells the other."""
    accounts = np.unique(asked.accounts)
    order = np.argsort(asked.accounts, kind="stable")
    starts = np.searchsorted(asked.accounts[order], accounts)
    truth = np.split(asked.products[order], starts[1:])
    ranked = system.rank(learned, accounts, K)
    return measuring.measure(ranked, truth, K, learned.product_count)
