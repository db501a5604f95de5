"""What one step of rising load found, and where the knee is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

# A step is past the knee where its p99 is over so many times the first step's, or fewer than this share of the calls
# that were due are answered rightly within its time.
TIMES: Final = 5.0
SHARE: Final = 0.95


@dataclass(frozen=True)
class Step:
    """One rate: calls a second that were due and that were answered, milliseconds, processors used by each part."""

    offered: float
    achieved: float
    p50: float
    p99: float
    wrong: int = 0
    failed: int = 0
    refused: int = 0
    processors: Mapping[str, float] = field(default_factory=dict)

    @property
    def in_all(self) -> float:
        """Processors that all parts together used, without the client."""
        return sum(used for part, used in self.processors.items() if part != CLIENT)


CLIENT: Final = "client"


def is_past(step: Step, first: Step) -> bool:
    """Tells whether a step is past the knee of a climb that began with `first`."""
    return step.p99 > TIMES * first.p99 or step.achieved < SHARE * step.offered


def knee(steps: Sequence[Step]) -> Step | None:
    """Answers the last step before the first one that is past the knee; None where no step is."""
    for before, step in pairwise(steps):
        if is_past(step, steps[0]):
            return before
    return None
