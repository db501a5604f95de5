"""Percentiles out of Prometheus histograms."""

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from tests.bench import histogram


def _text(*seconds: float) -> str:
    registry = CollectorRegistry()
    made = Histogram("some_seconds", "Some.", ["of"], buckets=(0.001, 0.01, 0.1), registry=registry)
    for number, each in enumerate(seconds):
        made.labels(str(number % 2)).observe(each)
    return generate_latest(registry).decode()


def test_what_was_added_between_two_looks() -> None:
    """Only what came after the first look counts, over all labels."""
    before = histogram.buckets(_text(0.05), "some_seconds")
    after = histogram.buckets(_text(0.05, 0.005, 0.0005), "some_seconds")
    assert histogram.between(before, after) == {0.001: 1, 0.01: 2, 0.1: 2, float("inf"): 2}


def test_quantiles() -> None:
    """A quantile lies in its bucket, in proportion; what is beyond the last bound is at that bound."""
    counts = histogram.buckets(_text(*[0.005] * 99, 0.5), "some_seconds")
    assert histogram.quantile(counts, 0.5) == pytest.approx(0.001 + 0.009 * 50 / 99)
    assert histogram.quantile(counts, 0.999) == 0.1
    assert histogram.quantile({}, 0.5) == 0
    assert histogram.share_within(counts, 0.01) == 0.99
