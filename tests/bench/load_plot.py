"""The step load's picture, as SVG: latency over offered load, and beneath it the processors that each part used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.step import Step

_INCHES: Final = (9, 8)


def draw(steps: Sequence[Step], knee: Step | None, path: Path) -> None:
    """Writes the picture of all steps, the knee marked where there is one; raises OSError where it cannot."""
    # Text stays text, and the same figures give the same file: no random ids, no date.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "load"}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        _latency(above, steps)
        _processors(below, steps)
        for axes in (above, below):
            axes.set_xlim(0, max(step.offered for step in steps))
            axes.grid(alpha=0.3)
            if knee:
                axes.axvline(knee.offered, color="black", linestyle="--", label=f"knee: {knee.achieved:.0f} a second")
            # Beside the curves: nowhere inside is free at every load.
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
        figure.savefig(path, format="svg", metadata={"Date": None})


def _latency(axes: Any, steps: Sequence[Step]) -> None:
    offered = [step.offered for step in steps]
    axes.plot(offered, [step.p99 for step in steps], marker="o", label="p99")
    axes.plot(offered, [step.p50 for step in steps], marker="o", label="p50")
    axes.set_yscale("log")
    axes.set_ylabel("milliseconds from the moment due")
    axes.set_title("A shop's mix of requests at rising rates")


def _processors(axes: Any, steps: Sequence[Step]) -> None:
    """Stacks the parts, the one that uses most in the end at the bottom."""
    parts = sorted(steps[-1].processors, key=lambda part: -steps[-1].processors[part])
    layers = [[step.processors.get(part, 0.0) for step in steps] for part in parts]
    axes.stackplot([step.offered for step in steps], layers, labels=parts, alpha=0.8)
    axes.set_ylabel("processors used")
    axes.set_xlabel("requests offered a second")
