"""Runs a benchmark so that nothing is left of it, whoever ends it: SIGTERM and SIGHUP cancel it as Ctrl-C does.

Python leaves SIGINT alone where a shell ignores it, as for what runs in the background, so each is listened to by
itself.
"""

import asyncio
import signal
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tests.bench.checkouts import UnknownStateError

FAILED: Final = 1
# What shells know as ended by a signal: 128 and its number.
_ENDED: Final = 128
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[Any, Any, bool], loop_factory: Callable[[], AbstractEventLoop] | None = None) -> int:
    """Runs a benchmark, which answers whether all was right; answers the exit status, a failure told in a line."""
    by: list[signal.Signals] = []
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return 0 if runner.run(_listening(work, by)) else FAILED
    except asyncio.CancelledError:
        return _ENDED + by[0] if by else FAILED
    except (UnknownStateError, RuntimeError, AssertionError, TimeoutError) as error:
        # A client's AssertionError tells of an operation that the platform refused.
        print(f"The benchmark ended early: {error or type(error).__name__}", file=sys.stderr)
        return FAILED


async def _listening(work: Coroutine[Any, Any, bool], by: list[signal.Signals]) -> bool:
    task = asyncio.ensure_future(work)

    def end(number: signal.Signals) -> None:
        by.append(number)
        task.cancel()

    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    return await task
