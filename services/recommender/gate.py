"""Whether a candidate may serve: it is asked about the last part of the data in time, which it has not seen.

A twin of the candidate is trained on what lies before some moment, and ranks for the accounts that go on after it what
they had not dealt with. It has to do as well as the list of what was popular then, and as well as the model that serves
on what that one has not seen either, both within a stated tolerance. What cannot be measured is not proven, and does
not serve.

Two good models differ on a few dozen accounts by more than any tolerance, by chance. So the serving model is only
believed to be better when that is no chance: by the accounts' paired differences, one-sided, at 99 %.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.recommender.artefact import is_finite
from services.recommender.dataset import Dataset, dealings
from services.recommender.domain import Hyperparameters
from services.recommender.folding import fold_in
from services.recommender.measuring import Metrics, measure, ndcgs
from services.recommender.model import Floats, Integers, Model
from services.recommender.training import fit

# Places of a list that count: what a page shows first.
K: Final = 10
# Interactions and accounts that are enough to tell.
MOST_HELD_OUT: Final = 20_000
MOST_ACCOUNTS: Final = 2_000
# Accounts below which the serving model is not compared with: it has hardly missed anything.
FEWEST_NEW: Final = 20
# With more data than this only the first of several settings is tried: each is a training.
MANY: Final = 500_000
# Standard errors beyond which a difference is no chance.
_CERTAIN: Final = 2.33
# Scores held at once: 80 MB.
_SCORES: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What is demanded; shares from 0 to 1."""

    tolerance: float
    holdout: float
    min_test_accounts: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was measured, the settings that did best, and why they may not serve; empty if they may."""

    chosen: Hyperparameters
    metrics: dict[str, float]
    refusal: str = ""


@dataclass(frozen=True, eq=False)
class Questions:
    """What lies before a moment, and what some accounts did after it: `truth[i]` is of account number `accounts[i]`."""

    before: Dataset
    accounts: Integers
    truth: list[Integers]


def examine(
    data: Dataset, trials: Sequence[Hyperparameters], serving: Model | None, rules: Rules, threads: int
) -> Verdict:
    """Answers the verdict on the trial that measures best; `trials` is not empty."""
    moment = _moment(data.times, rules.holdout)
    asked = questions(data, moment, moment)
    if len(asked.accounts) < rules.min_test_accounts:
        reason = (
            f"Nothing is proven: {len(asked.accounts)} accounts could be asked about, {rules.min_test_accounts} needed."
        )
        return Verdict(trials[0], {"test_accounts": float(len(asked.accounts))}, reason)
    tried = trials if len(data) <= MANY else trials[:1]
    twins = [fit(asked.before, chosen, threads) for chosen in tried]
    measured = [_metrics(asked, ranks_of(twin, asked)) for twin in twins]
    best = max(range(len(tried)), key=lambda trial: measured[trial].ndcg)
    popular = _metrics(asked, popular_ranks(asked, tried[best])).ndcg
    metrics = asdict(measured[best]) | {
        "popularity_ndcg": popular,
        "test_accounts": float(len(asked.accounts)),
        "regularization": tried[best].regularization,
    }
    refusal = _worse(measured[best].ndcg, popular, rules.tolerance, "what is popular")
    if serving is not None:
        against, worse = _against(data, moment, twins[best], serving, rules.tolerance)
        metrics |= against
        refusal = refusal or worse
    return Verdict(tried[best], metrics, refusal)


def flaw(model: Model) -> str:
    """Answers what makes a model unfit whatever it measured; empty if nothing does."""
    return "" if is_finite(model) else "Not all of its numbers are finite."


def questions(data: Dataset, moment: float, unseen: float) -> Questions:
    """Answers what is known before `moment`, and of the accounts in it what they newly dealt with from `unseen` on."""
    before = data.where(data.times < moment)
    known = np.unique(before.pairs)
    later = np.unique(data.where(data.times >= unseen).pairs)
    later = later[~np.isin(later, known, assume_unique=True)]
    accounts, products = np.divmod(later, max(1, len(data.product_ids)))
    has_history = np.isin(accounts, before.accounts)
    accounts, products = accounts[has_history], products[has_history].astype(np.int32)
    numbers, starts = np.unique(accounts, return_index=True)
    truth = np.split(products, starts[1:]) if len(numbers) else []
    if len(numbers) > MOST_ACCOUNTS:
        drawn = np.sort(np.random.default_rng(0).choice(len(numbers), MOST_ACCOUNTS, replace=False))
        numbers, truth = numbers[drawn], [truth[number] for number in drawn]
    return Questions(before, numbers.astype(np.int32), truth)


def ranks_of(model: Model, asked: Questions) -> list[Integers]:
    """Answers the model's first K for each account, from its history before the moment alone."""
    data = asked.before
    # The products of the data in the rows of the model; those that it does not know are never ranked.
    rows = np.array([model.rows.get(product_id, -1) for product_id in data.product_ids], np.int64)
    factors = np.where((rows >= 0)[:, None], model.item_factors[rows], np.float32(0))
    warm = (rows >= 0) & ~model.cold[rows]
    values = dealings(data, data.data_to, model.hyperparameters).values

    def scores(accounts: Integers) -> Floats:
        tastes = np.zeros((len(accounts), factors.shape[1]), np.float32)
        for at, account in enumerate(accounts):
            span = slice(values.indptr[account], values.indptr[account + 1])
            # What the model does not know says nothing to it.
            known = values.indices[span][rows[values.indices[span]] >= 0]
            weights = values.data[span][rows[values.indices[span]] >= 0]
            tastes[at] = fold_in(model, factors[known], weights, warm[known])
        found: Floats = tastes @ factors.T
        found[:, rows < 0] = -np.inf
        return found

    return _best(asked, values, scores)


def popular_ranks(asked: Questions, chosen: Hyperparameters) -> list[Integers]:
    """Answers the K most popular products before the moment, less what each account had."""
    data = asked.before
    values = dealings(data, data.data_to, chosen).values
    popular = np.asarray(values.sum(axis=0), np.float32).ravel()
    return _best(asked, values, lambda accounts: np.tile(popular, (len(accounts), 1)))


def _best(asked: Questions, had: Any, scores: Callable[[Integers], Floats]) -> list[Integers]:
    """Answers the K of each account that score best, of those for which `had` [m, n] has no value."""
    n = len(asked.before.product_ids)
    found: list[Integers] = []
    size = max(1, _SCORES // max(1, n))
    for begin in range(0, len(asked.accounts), size):
        accounts = asked.accounts[begin : begin + size]
        block = scores(accounts)
        for row, account in zip(block, accounts, strict=True):
            row[had.indices[had.indptr[account] : had.indptr[account + 1]]] = -np.inf
            found.append(_first(row))
    return found


def _first(scores: Floats) -> Integers:
    if len(scores) > K:
        best = np.argpartition(-scores, K)[:K]
        best = best[np.lexsort((best, -scores[best]))]
    else:
        best = np.argsort(-scores, kind="stable")
    return best[np.isfinite(scores[best])].astype(np.int32)


def _metrics(asked: Questions, ranked: Sequence[Integers]) -> Metrics:
    return measure(ranked, asked.truth, K, len(asked.before.product_ids))


def _against(
    data: Dataset, moment: float, twin: Model, serving: Model, tolerance: float
) -> tuple[dict[str, float], str]:
    """Answers the nDCG of both on what neither has seen, and why the twin is worse; nothing if too little is left."""
    # What happened in the serving model's last moment, it was trained with.
    unseen = max(moment, np.nextafter(serving.data_to.timestamp(), np.inf))
    asked = questions(data, moment, unseen)
    count = len(asked.accounts)
    if count < FEWEST_NEW:
        return {}, ""
    ours, theirs = (ndcgs(ranks_of(model, asked), asked.truth, K) for model in (twin, serving))
    found = {
        "serving_ndcg": float(theirs.mean()),
        "against_serving_ndcg": float(ours.mean()),
        "against_serving_accounts": float(count),
    }
    short = (1 - tolerance) * theirs - ours
    is_chance = short.mean() <= _CERTAIN * short.std(ddof=1) / np.sqrt(count)
    return found, "" if is_chance else _refusal(ours.mean(), theirs.mean(), "the model that serves")


def _moment(times: npt.NDArray[np.float64], holdout: float) -> float:
    count = min(MOST_HELD_OUT, max(1, int(len(times) * holdout)))
    return float(np.partition(times, len(times) - count)[len(times) - count])


def _worse(ours: float, theirs: float, tolerance: float, what: str) -> str:
    if ours >= (1 - tolerance) * theirs:
        return ""
    return _refusal(ours, theirs, what)


def _refusal(ours: float, theirs: float, what: str) -> str:
    return f"It is worse than {what}: nDCG@{K} {ours:.3f} against {theirs:.3f}."
