"""Who is told how far a start has come: a function that takes one line of text."""

import sys
from collections.abc import Callable

Report = Callable[[str], None]


def silent(_line: str) -> None:
    """Tell nobody."""


def to_terminal(line: str) -> None:
    """Tell the person at the terminal, at once even through a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
