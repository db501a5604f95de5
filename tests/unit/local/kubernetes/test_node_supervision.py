"""Claims about the node's supervision: daemons are kept running, progress is followed, and requests are answered."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from local.errors import StartFailedError
from local.kubernetes.daemons import Daemon, DaemonProcess, Probe
from local.kubernetes.node import control, keeping
from local.kubernetes.node.control import Answer
from local.kubernetes.node.following import Progress
from local.kubernetes.node.keeping import Kept

_SERVER = """
import socket, sys, time
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    time.sleep(600)
"""


def server(name: str, folder: Path, *after: str) -> DaemonProcess:
    """A real process that serves once it listens on a socket, under a new path for each start."""
    path = folder / f"{name}.sock"
    start = f"import os, sys; path = sys.argv[1]; os.path.exists(path) and os.unlink(path)\n{_SERVER}"
    argv = (sys.executable, "-c", start, str(path))
    return DaemonProcess(Daemon(name, argv, Probe(f"unix://{path}"), after=after), folder / f"{name}.log")


class Told:
    """What was reported, and a way to wait for more of it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def report(self, line: str) -> None:
        self.lines.append(line)
        self._news.set()

    def count(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    async def until(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(30):
            while self.count(text) < times:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def kept(*processes: DaemonProcess) -> AsyncIterator[tuple[list[Kept], Told]]:
    told = Told()
    served = {process.name: asyncio.Event() for process in processes}
    all_kept = [Kept(process, served, told.report) for process in processes]
    tasks = [asyncio.create_task(each.run()) for each in all_kept]
    try:
        yield all_kept, told
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in processes:
            await process.kill()


async def test_a_daemon_starts_after_those_that_it_needs(tmp_path: Path) -> None:
    """The second is not started before the first serves."""
    async with kept(server("second", tmp_path, "first"), server("first", tmp_path)) as (_, told):
        await told.until("second")
        assert [line.split()[0] for line in told.lines] == ["first", "second"]


async def test_a_daemon_that_dies_is_started_again_and_its_death_is_told(tmp_path: Path) -> None:
    """After a SIGKILL from outside, it serves again as another process."""
    async with kept(server("one", tmp_path)) as ((one,), told):
        await told.until("one")
        first = one.process.pid
        one.process._child.send_signal(signal.SIGKILL)  # type: ignore[union-attr] # it serves, so there is a child
        await told.until("serves", 2)
        assert one.process.pid != first
        assert told.count("one ended with code -9") == 1


@pytest.mark.parametrize("kill", [False, True])
async def test_a_restart_that_was_asked_for_answers_when_it_serves_again(tmp_path: Path, *, kill: bool) -> None:
    """It is another process then, and no death is told."""
    async with kept(server("one", tmp_path)) as ((one,), told):
        await told.until("one")
        first = one.process.pid
        await asyncio.wait_for(one.restart(kill=kill), 30)
        assert one.serves
        assert one.process.pid != first
        assert not told.count("ended")


async def test_a_daemon_that_cannot_start_is_tried_again_with_growing_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never given up, and each failure has its last words."""
    monkeypatch.setattr(keeping, "_FIRST_PAUSE", 0.001)
    argv = (sys.executable, "-c", "raise SystemExit('no disk')")
    broken = DaemonProcess(Daemon("one", argv, Probe(f"unix://{tmp_path}/none")), tmp_path / "log")
    async with kept(broken) as ((one,), told):
        await told.until("no disk", 3)
        assert not one.serves
        assert one.starts >= 3


async def test_a_follower_is_told_what_was_and_what_comes_until_the_end() -> None:
    """Lines from before and after, in order; and nothing once the end has come."""
    progress, end = Progress(), asyncio.Event()
    progress.report("before")
    told = []
    async for line in progress.follow(end):
        told.append(line)
        progress.report("after") if line == "before" else end.set()
    assert told == ["before", "after"]
    assert [line async for line in progress.follow(end)] == []


async def _handler(request: Answer) -> AsyncIterator[Answer]:
    if request["verb"] == "fail":
        raise StartFailedError("the reason")
    for number in range(2):
        yield {"number": number}


async def test_answers_come_over_a_socket_whatever_the_length_of_its_path(tmp_path: Path) -> None:
    """A folder whose path no socket's address could hold works like any other."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    async with await control.serve(folder / "control.sock", _handler):
        asked = await asyncio.to_thread(lambda: list(control.ask(folder / "control.sock", {"verb": "count"}, 10)))
    assert asked == [{"number": 0}, {"number": 1}]


async def test_a_failure_is_raised_where_it_was_asked(tmp_path: Path) -> None:
    """The sentence arrives; the server goes on."""
    async with await control.serve(tmp_path / "control.sock", _handler):
        for _ in range(2):
            with pytest.raises(StartFailedError, match="the reason"):
                await asyncio.to_thread(lambda: list(control.ask(tmp_path / "control.sock", {"verb": "fail"}, 10)))


async def test_nonsense_is_not_answered_and_does_no_harm(tmp_path: Path) -> None:
    """A line that is no JSON closes the connection; the next request is answered."""
    async with await control.serve(tmp_path / "control.sock", _handler):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b"nonsense\n")
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        asked = await asyncio.to_thread(lambda: list(control.ask(tmp_path / "control.sock", {"verb": "count"}, 10)))
    assert asked == [{"number": 0}, {"number": 1}]


def test_a_node_that_does_not_listen_is_told_as_such(tmp_path: Path) -> None:
    """No stack trace for a supervisor that is gone."""
    with pytest.raises(StartFailedError, match="cannot be reached"):
        list(control.ask(tmp_path / "control.sock", {"verb": "status"}, 1))
