"""What was measured of one operation in one state: medians over rounds, their line in the table, and ratios of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

HEAD: Final = (
    f"{'operation':<24}{'state':<20}{'at once':>8}{'rps':>9}{'p50 ms':>9}{'p99 ms':>9}{'p99/p50':>9}{'CPU-ms':>9}"
    f"{'wrong':>7}{'failed':>7}"
)
# CPU-milliseconds a request; below it a part has nothing to do with the operation.
_SHOWN: Final = 0.02
BEFORE: Final = "before"
AFTER: Final = "after"
OFF: Final = "cache off"
UNCHANGED: Final = "unchanged"
CONSTANT: Final = "constant bytes"
# What is told of each operation, as far as both were measured: the first as a multiple of the second.
_RATIOS: Final = ((AFTER, BEFORE), (OFF, BEFORE), (UNCHANGED, BEFORE), (OFF, UNCHANGED))
# The part that answers out of its memory; what else the platform does in that time is not the answer's.
_ANSWERING: Final = "gateway"


@dataclass(frozen=True)
class Figures:
    """One run, or the medians of several: latency in milliseconds, CPU-milliseconds a request by part."""

    rps: float
    p50: float
    p99: float
    wrong: int
    failed: int
    parts: Mapping[str, float]
    requests: int = 1

    @property
    def cpu(self) -> float:
        """CPU-milliseconds a request in all parts together."""
        return sum(self.parts.values())

    @property
    def good(self) -> bool:
        """Whether there were replies, and all of them right."""
        return self.requests > 0 and not self.wrong and not self.failed


def medians(rounds: Sequence[Figures]) -> Figures:
    """Answers each figure's median, each part's too; the sum of wrong and failed replies, and the fewest requests."""
    return Figures(
        rps=median(each.rps for each in rounds),
        p50=median(each.p50 for each in rounds),
        p99=median(each.p99 for each in rounds),
        wrong=sum(each.wrong for each in rounds),
        failed=sum(each.failed for each in rounds),
        parts={part: median(each.parts[part] for each in rounds) for part in rounds[0].parts},
        requests=min(each.requests for each in rounds),
    )


def row(operation: str, state: str, at_once: int, found: Figures) -> str:
    """Answers the line beneath HEAD."""
    return (
        f"{operation:<24}{state:<20}{at_once:>8}{found.rps:>9.1f}{found.p50:>9.1f}{found.p99:>9.1f}"
        f"{found.p99 / max(1e-9, found.p50):>9.1f}{found.cpu:>9.2f}{found.wrong:>7}{found.failed:>7}"
    )


def by_part(found: Figures) -> str:
    """Answers a line that tells which part takes what, the largest first."""
    shares = sorted(found.parts.items(), key=lambda part: -part[1])
    return "    " + "  ".join(f"{name} {spent:.2f}" for name, spent in shares if spent > _SHOWN)


def ratios(found: Mapping[str, Figures]) -> str:
    """Answers a line of the ratios of CPU by state; empty where nothing can be compared."""
    told = [
        f"{one} / {other}: {found[one].cpu / max(1e-9, found[other].cpu):.2f}"
        for one, other in _RATIOS
        if one in found and other in found
    ]
    if CONSTANT in found:
        ratio = found[UNCHANGED].parts[_ANSWERING] / max(1e-9, found[CONSTANT].cpu)
        told.append(f"{UNCHANGED} (gateway alone) / {CONSTANT}: {ratio:.2f}")
    return f"    CPU-ms, {',  '.join(told)}" if told else ""
