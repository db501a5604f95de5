"""The result as a table: mean ± standard deviation over the seeds, and what others have published beside it."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Final

from services.recommender.measuring import Metrics
from tests.evaluate.trial import K

_COLUMNS: Final = {"precision": "precision", "recall": "recall", "ndcg": "nDCG", "map": "MAP", "coverage": "coverage"}
# nDCG and precision at 10 on MovieLens 100k, 75/25: from the benchmark of Microsoft's recommenders library.
PUBLISHED: Final[Mapping[str, tuple[float, float]]] = {
    "SVD": (0.096, 0.091),
    "SAR": (0.382, 0.331),
    "LightGCN": (0.420, 0.380),
    "BPR": (0.442, 0.388),
    "BiVAE": (0.475, 0.412),
}


def lines(found: Mapping[str, Sequence[Metrics]], *, published: bool) -> Iterator[str]:
    """Yields the table, in Markdown; `published` adds the marks, which hold for one data set and split only."""
    yield f"| at {K} | " + " | ".join(_COLUMNS.values()) + " |"
    yield "|---" * (len(_COLUMNS) + 1) + "|"
    for name, of_seeds in found.items():
        yield f"| {name} | " + " | ".join(_cell(of_seeds, column) for column in _COLUMNS) + " |"
    for name, (ndcg, precision) in PUBLISHED.items() if published else ():
        yield f"| {name}, published | {precision:.3f} | | {ndcg:.3f} | | |"


def _cell(of_seeds: Sequence[Metrics], column: str) -> str:
    numbers = [float(getattr(metrics, column)) for metrics in of_seeds]
    spread = f" ± {stdev(numbers):.3f}" if len(numbers) > 1 else ""
    return f"{fmean(numbers):.3f}{spread}"
