"""`make bench`: measures the platform under load; without options every operation's cost, as operations.py says."""

import asyncio
import signal
import sys

from local.exits import exit_code
from tests.bench import command_line, large, operations, recommender, steps, wrk
from tests.bench.checkouts import UnknownStateError
from tests.bench.command_line import LARGE, RECOMMENDER, STEPS
from tests.bench.operations import Plan


def main() -> int:
    """Reads the command line; 0 when every reply was right."""
    options = command_line.read()
    # A terminal that is closed, or a job that is ended, leaves as little behind as Ctrl-C.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: signal.raise_signal(signal.SIGINT))
    if options.what == RECOMMENDER:
        return 0 if asyncio.run(recommender.bench(options.size or 1.0, options.seconds)) else 1
    if options.what == STEPS:
        return 0 if steps.run(options.seconds) else 1
    if not wrk.installed():
        print("wrk is missing. Get it with: apt-get install wrk", file=sys.stderr)
        return 1
    if options.shop == LARGE:
        return 0 if large.run(options.seconds) else 1
    plan = Plan(options.seconds, options.only, options.against, options.parts)
    try:
        return 0 if asyncio.run(operations.bench(plan)) else 1
    except (UnknownStateError, RuntimeError, AssertionError, TimeoutError) as error:
        # A client's AssertionError tells an operation that the platform refused.
        print(f"The benchmark ended early: {error or type(error).__name__}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(exit_code(main))
