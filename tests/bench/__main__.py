"""`make bench`: measures the platform under load; without options every operation's cost, as operations.py says."""

import argparse
import sys

import uvloop

from local.exits import exit_code
from tests.bench import command_line, large, operations, recommender, steps, wrk
from tests.bench.command_line import LARGE, RECOMMENDER, STEPS
from tests.bench.ending import run
from tests.bench.operations import Plan


def main() -> int:
    """Reads the command line; 0 when every reply was right."""
    options = command_line.read()
    if options.what == RECOMMENDER:
        return run(recommender.bench(options.size or 1.0, options.seconds))
    if options.what == STEPS:
        # The load tool must not be what is slow.
        return run(steps.bench(options.seconds), uvloop.new_event_loop)
    return _with_wrk(options)


def _with_wrk(options: argparse.Namespace) -> int:
    if not wrk.installed():
        print("wrk is missing. Get it with: apt-get install wrk", file=sys.stderr)
        return 1
    if options.shop == LARGE:
        return run(large.bench(options.seconds))
    return run(operations.bench(Plan(options.seconds, options.only, options.against, options.parts)))


if __name__ == "__main__":
    sys.exit(exit_code(main))
