"""The benchmarks' command line. What does not go together is refused: a run takes minutes, and would be another one."""

import argparse
from collections.abc import Sequence
from typing import Final

PLATFORM: Final = "platform"
STEPS: Final = "steps"
RECOMMENDER: Final = "recommender"
SMALL: Final = "small"
LARGE: Final = "large"
# Options that are for the table of operations in the small shop only, by the names of make's variables.
_OF_THE_TABLE: Final = ("against", "parts", "only")
# Seconds of each run, of which the table has many.
_SECONDS: Final = {PLATFORM: 4, STEPS: 8, RECOMMENDER: 8}


def read(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Answers what is to be run; ends the program with a message where options do not go together."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if fault := _fault(options):
        parser.error(fault)
    options.shop = options.shop or SMALL
    options.seconds = options.seconds or (8 if options.shop == LARGE else _SECONDS[options.what])
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="`make bench`: measures the platform under load."
    )
    parser.add_argument("what", nargs="?", choices=(PLATFORM, RECOMMENDER, STEPS), default=PLATFORM)
    parser.add_argument("--shop", choices=(SMALL, LARGE), help="large: a million products and orders beside a few")
    parser.add_argument("--against", default="", help="a git ref: that state runs beside this one, measured in turn")
    parser.add_argument("--parts", action="store_true", help="tell the CPU of each process as well")
    parser.add_argument("--only", default="", help="only operations with this in their name")
    parser.add_argument("--seconds", type=_positive, help="counted seconds of load in each run")
    parser.add_argument("--size", type=float, help="of the recommender's shop, as a share of the stated one")
    return parser


def _fault(options: argparse.Namespace) -> str:
    """Answers what does not go together, in the words of make's variables; empty where all does."""
    if options.shop and options.what != PLATFORM:
        return f"SIZE={options.shop} and BENCH={options.what} do not go together: a bench has a shop of its own."
    if options.size is not None and options.what != RECOMMENDER:
        return "--size is for BENCH=recommender."
    of_the_table = [name for name in _OF_THE_TABLE if getattr(options, name)]
    other = f"BENCH={options.what}" if options.what != PLATFORM else "SIZE=large" if options.shop == LARGE else ""
    if of_the_table and other:
        return f"{of_the_table[0].upper()} and {other} do not go together: it is for the table of operations."
    return ""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 second")
    return number
