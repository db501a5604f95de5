"""A candidate serves only when it has proven that it is good, on what it has not seen."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from services.recommender.gate import K, Rules, examine, flaw, popular_ranks, questions, ranks_of
from services.recommender.model import Model
from services.recommender.training import fit
from tests.unit.recommender.shops import CHOSEN, START, dataset, deeds, products

RULES = Rules(tolerance=0.05, holdout=0.2, min_test_accounts=5)
ROWS = list(deeds())


def shuffled(model: Model) -> Model:
    """A model that has learned nonsense: each product's factors are another's."""
    order = np.random.default_rng(3).permutation(len(model.item_factors))
    return replace(model, item_factors=model.item_factors[order])


def test_a_good_one_passes() -> None:
    """With what was measured: it beats what is popular by far, where there are two tastes."""
    verdict = examine(dataset(ROWS), [CHOSEN], None, RULES, 1)
    assert verdict.refusal == ""
    assert verdict.metrics["ndcg"] > 1.3 * verdict.metrics["popularity_ndcg"] > 0
    assert verdict.metrics["test_accounts"] == 40
    assert {"precision", "recall", "map", "coverage", "regularization"} <= verdict.metrics.keys()
    assert "serving_ndcg" not in verdict.metrics


def test_the_best_trial_is_taken() -> None:
    """One that presses everything to nothing does not win."""
    useless = replace(CHOSEN, regularization=10.0)
    verdict = examine(dataset(list(deeds(noise=0.2))), [useless, CHOSEN], None, RULES, 1)
    assert verdict.chosen == CHOSEN
    assert verdict.metrics["regularization"] == CHOSEN.regularization


def test_worse_than_popular_is_refused() -> None:
    """Everybody comes to buy the same new thing in the end: the list says so, and tastes do not."""
    rows = [(account, f"p{account}-{turn}", "view", 1, START) for account in range(1, 31) for turn in range(3)]
    late = [(account, "hit", "view", 1, datetime(2025, 2, 1, tzinfo=UTC)) for account in range(1, 31)]
    early = [(account, "hit", "view", 1, START) for account in range(31, 61)]
    names = [*sorted({row[1] for row in rows}), "hit"]
    verdict = examine(dataset([*rows, *early, *late], names), [replace(CHOSEN, regularization=0.001)], None, RULES, 1)
    assert verdict.metrics["popularity_ndcg"] == pytest.approx(1.0)
    assert "worse than what is popular" in verdict.refusal


def test_worse_than_the_serving_model_is_refused() -> None:
    """On what the serving model has not seen either; the reason says by how much."""
    data = dataset(ROWS)
    moment = np.quantile(data.times, 0.7)
    serving = fit(data.where(data.times < moment), CHOSEN, 1)
    bad = replace(CHOSEN, factors=2, regularization=3.0)
    lenient = replace(RULES, tolerance=0.05)
    verdict = examine(data, [bad], serving, lenient, 1)
    assert verdict.metrics["against_serving_accounts"] >= 20
    assert verdict.metrics["serving_ndcg"] > verdict.metrics["against_serving_ndcg"]
    assert verdict.refusal


def test_better_than_a_bad_serving_model() -> None:
    """It takes its place."""
    data = dataset(ROWS)
    serving = shuffled(fit(data.where(data.times < np.quantile(data.times, 0.7)), CHOSEN, 1))
    verdict = examine(data, [CHOSEN], serving, RULES, 1)
    assert verdict.refusal == ""
    assert verdict.metrics["against_serving_ndcg"] > verdict.metrics["serving_ndcg"]


def test_a_serving_model_that_has_seen_everything() -> None:
    """It cannot be compared with fairly, and is not."""
    data = dataset(ROWS)
    verdict = examine(data, [CHOSEN], fit(data, CHOSEN, 1), RULES, 1)
    assert verdict.refusal == ""
    assert "serving_ndcg" not in verdict.metrics


@pytest.mark.parametrize("seed", range(8))
def test_as_good_as_the_serving_model(seed: int) -> None:
    """Among a few dozen accounts chance makes one of two good models better; that is no reason to refuse the other."""
    data = dataset(list(deeds(accounts=60, noise=0.3, seed=seed)))
    serving = fit(data.where(data.times < np.quantile(data.times, 0.75)), replace(CHOSEN, seed=1), 1)
    verdict = examine(data, [CHOSEN], serving, RULES, 1)
    assert verdict.metrics["against_serving_accounts"] >= 20
    assert verdict.refusal == ""


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[:40], [row for row in ROWS if row[0] < 4]])
def test_too_little_proves_nothing(rows: list[tuple[int, str, str, int, datetime]]) -> None:
    """One deed, accounts that never came back, or too few accounts: it says so and does not serve."""
    assert "Nothing is proven" in examine(dataset(rows), [CHOSEN], None, RULES, 1).refusal


def test_only_what_is_new_is_asked() -> None:
    """Truth is what an account newly dealt with; answers leave out what it had."""
    data = dataset(ROWS)
    moment = float(np.quantile(data.times, 0.8))
    asked = questions(data, moment, moment)
    before = data.where(data.times < moment)
    model = fit(before, CHOSEN, 1)
    for ranked in (ranks_of(model, asked), popular_ranks(asked, CHOSEN)):
        for account, truth, best in zip(asked.accounts, asked.truth, ranked, strict=True):
            had = set(before.products[before.accounts == account])
            assert had.isdisjoint(truth.tolist())
            assert had.isdisjoint(best.tolist())
            assert len(best) == len(set(best.tolist())) <= K


def test_a_model_of_other_products() -> None:
    """What the serving model does not know it does not rank; that it was trained on other rows does not mix them up."""
    data = dataset(ROWS)
    moment = float(np.quantile(data.times, 0.8))
    asked = questions(data, moment, moment)
    half = fit(dataset(ROWS, products()[::-2]), CHOSEN, 1)
    for best in ranks_of(half, asked):
        assert {data.product_ids[row] for row in best} <= set(half.product_ids)


def test_flaws() -> None:
    """A number that is none."""
    model = fit(dataset(ROWS), CHOSEN, 1)
    assert flaw(model) == ""
    assert flaw(replace(model, regularization=float("inf")))
    assert flaw(replace(model, item_factors=np.full_like(model.item_factors, np.nan)))
