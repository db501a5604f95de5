"""How the result is shown."""

from services.recommender.measuring import Metrics
from tests.evaluate import table


def test_mean_and_spread() -> None:
    """A cell is the mean of the seeds, with their standard deviation where there are several."""
    found = {"ours": [Metrics(0.1, 0.2, 0.3, 0.4, 0.5), Metrics(0.3, 0.2, 0.3, 0.4, 0.5)]}
    head, _, ours = table.lines(found, published=False)
    assert head == "| at 10 | precision | recall | nDCG | MAP | coverage |"
    assert ours == "| ours | 0.200 ± 0.141 | 0.200 ± 0.000 | 0.300 ± 0.000 | 0.400 ± 0.000 | 0.500 ± 0.000 |"
    assert list(table.lines({"ours": found["ours"][:1]}, published=False))[2].startswith("| ours | 0.100 | 0.200 |")


def test_published_marks() -> None:
    """Published figures stand beside ours only where they are of the same data and split."""
    last = list(table.lines({}, published=True))[-1]
    assert last == "| BiVAE, published | 0.412 | | 0.475 | | |"
