"""The step load's figures as text: a line for each step at the terminal, and Markdown for docs/load.md."""

from collections.abc import Sequence
from typing import Final

from tests.bench.step import CLIENT, SHARE, TIMES, Step

HEAD: Final = (
    f"{'offered/s':>10}{'achieved/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'processors':>11}{'client':>8}"
    f"{'wrong':>7}{'failed':>7}{'refused':>9}"
)


def row(step: Step) -> str:
    """Answers a step's line beneath HEAD."""
    return (
        f"{step.offered:>10.0f}{step.achieved:>11.0f}{step.p50:>9.1f}{step.p99:>9.1f}{step.in_all:>11.2f}"
        f"{step.processors.get(CLIENT, 0.0):>8.2f}{step.wrong:>7}{step.failed:>7}{step.refused:>9}"
    )


def markdown(steps: Sequence[Step], knee: Step | None, *, shop: str, machine: str) -> str:
    """Answers all of it for people: every step, the knee, and what the knee is made of."""
    head = (
        "# Rising load\n\nWritten by `make bench BENCH=steps`, together with [the picture](load.svg): "
        f"{shop}; {machine}. What is asked for, and how often: `tests/bench/mix.py`. The gateway keeps answers as it"
        " does by default, and the changes of products in the mix drop them."
    )
    return "\n\n".join([head, _steps(steps), _knee(knee) if knee else "No knee was found in these steps."]) + "\n"


def _steps(steps: Sequence[Step]) -> str:
    lines = [
        "| offered a second | achieved a second | p50 ms | p99 ms | processors used | wrong, failed, refused |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {step.offered:.0f} | {step.achieved:.0f} | {step.p50:.1f} | {step.p99:.1f} | {step.in_all:.2f}"
        f" | {step.wrong}, {step.failed}, {step.refused} |"
        for step in steps
    ]
    return "\n".join(lines)


def _knee(knee: Step) -> str:
    each = 1000 * knee.in_all / max(1.0, knee.achieved)
    text = (
        f"The knee: {knee.achieved:.0f} requests a second with a p99 of {knee.p99:.0f} ms. The next step's p99 is over"
        f" {TIMES:.0f} times the first one's, or it achieves less than {SHARE:.0%} of what is offered. A request takes"
        f" {each:.2f} CPU-ms there, so a processor of this kind carries {knee.achieved / max(1e-9, knee.in_all):.0f} of"
        " them a second when it is used in full. By part:"
    )
    lines = [text, "", "| part | processors | share |", "|---|---:|---:|"]
    platform = {part: used for part, used in knee.processors.items() if part != CLIENT}
    for part, used in sorted(platform.items(), key=lambda item: -item[1]):
        lines.append(f"| {part} | {used:.2f} | {used / max(1e-9, knee.in_all):.0%} |")
    return "\n".join(lines)
