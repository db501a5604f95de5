"""How a benchmark ends: its exit status, and that it may clean up."""

import asyncio
import os
import signal

import pytest

from tests.bench.ending import run


@pytest.mark.parametrize("status", [0, 1])
def test_status(status: int) -> None:
    """It is 0 where every reply was right."""

    async def bench() -> bool:
        return status == 0

    assert run(bench()) == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended(number: signal.Signals) -> None:
    """A signal lets it end what it has started, and shows in the status as shells have it."""
    cleaned: list[str] = []

    async def bench() -> bool:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("all")
        return True

    assert run(bench()) == 128 + number
    assert cleaned == ["all"]


def test_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """What goes wrong is told in a line, not by a stack trace."""

    async def bench() -> bool:
        raise RuntimeError("wrk failed")

    assert run(bench()) == 1
    assert capsys.readouterr().err == "The benchmark ended early: wrk failed\n"
