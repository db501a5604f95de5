"""What a Prometheus histogram of a process says about the time between two looks at it."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families


def buckets(text: str, name: str) -> Mapping[float, float]:
    """Answers how many observations were at most so long, by the bounds in seconds, over all labels."""
    counts: dict[float, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                bound = float(sample.labels["le"])
                counts[bound] = counts.get(bound, 0.0) + sample.value
    return counts


def between(before: Mapping[float, float], after: Mapping[float, float]) -> dict[float, float]:
    """Answers what was added."""
    return {bound: count - before.get(bound, 0.0) for bound, count in after.items()}


def quantile(counts: Mapping[float, float], q: float) -> float:
    """Answers the q-quantile in seconds, as Prometheus estimates it: evenly spread inside a bucket; 0 of nothing."""
    wanted = q * max(counts.values(), default=0.0)
    lower, below = 0.0, 0.0
    for bound, count in sorted(counts.items()):
        if count >= wanted and count > below:
            return lower if bound == float("inf") else lower + (bound - lower) * (wanted - below) / (count - below)
        lower, below = bound, count
    return 0.0


def share_within(counts: Mapping[float, float], bound: float) -> float:
    """Answers the share of observations that took at most `bound` seconds, which is one of the bounds."""
    total = max(counts.values(), default=0.0)
    return counts[bound] / total if total else 0.0
