"""One child process: started in its own session, watched until it is ready, ended for certain.

A child is sent a signal by the kernel when the thread that started it dies, whatever killed that thread, so it never
outlives its parent (`setpriv --pdeathsig`; a preexec function would not be safe beside threads). Signals go to the
whole tree below it: PostgreSQL puts each backend in a session of its own, where a process group does not reach.
"""

import asyncio
import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path

from local.errors import StartFailedError
from local.launching import Command, wrapped
from local.ports import require_free
from local.trees import signal_tree, tree, until_gone

_BETWEEN_PROBES = 0.05
_BURIED_WITHIN = 10.0
_SHOWN_LOG_LINES = 20
_LOG_LIMIT = 20_000_000  # bytes; a longer log becomes the `.log.1` at the next start


class Process(ABC):
    """A child that can be started, stopped, killed, paused and started again on the same data and ports.

    Start it from a thread that lives as long as it should, such as the event loop's.
    """

    ready_within: float = 180  # seconds; a start of 5 took 75 on two cores with a load of 12

    def __init__(self, name: str, log: Path) -> None:
        """Name the process and the file that gets its output."""
        self.name = name
        self.log_path = log
        self._child: subprocess.Popen[bytes] | None = None
        self._swept: subprocess.Popen[bytes] | None = None
        self._command: Command | None = None

    @abstractmethod
    def command(self) -> Command:
        """Answer how to start it."""

    @abstractmethod
    async def ready(self) -> bool:
        """Tell whether it serves; may raise OSError while it does not."""

    async def prepare(self) -> None:  # noqa: B027 (most have nothing to prepare)
        """Make what the process needs on disk; called before each start."""

    @property
    def running(self) -> bool:
        """Whether the process is there (also while it is paused)."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The id of the running process; raises StartFailedError where there is none."""
        if self._child is None or self._child.poll() is not None:
            raise StartFailedError(f"{self.name} is not running")
        return self._child.pid

    async def start(self) -> None:
        """Start it and wait until it serves; raise PortTakenError or StartFailedError, leaving nothing behind."""
        if self.running:
            return
        await self.kill()  # what an earlier run of it may have left, such as workers of a master that died
        await self.prepare()
        self._command = self.command()
        for what, port in self._command.ports.items():
            require_free(what, port)
        self._child = self._spawn(self._command)
        try:
            await self._until_ready()
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        """Ask it to end; after its grace period, make it. Answers once nothing of it is left."""
        child, command = self._child, self._command
        if child is None or command is None:
            return
        members = tree(child.pid)
        if child.poll() is None:
            signal_tree(members, signal.SIGCONT)
            child.send_signal(command.stop_signal)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), command.grace)
        await self._sweep(child)

    async def kill(self) -> None:
        """End it and all its children by SIGKILL, as a power cut would."""
        if self._child is not None:
            await self._sweep(self._child)

    async def restart(self) -> None:
        """Stop it and start it again on the same data and ports."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        signal_tree(tree(self.pid), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        signal_tree(tree(self.pid), signal.SIGCONT)

    async def wait(self) -> int:
        """Wait until the process ends, and answer its exit code (minus the signal's number for a killed one)."""
        child = self._child
        if child is None:
            raise StartFailedError(f"{self.name} was not started")
        code = child.poll()
        if code is not None:
            return code
        handle, loop, ended = os.pidfd_open(child.pid), asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        return child.wait()

    def last_log_lines(self, count: int = _SHOWN_LOG_LINES) -> str:
        """Answer the end of its log, each line indented."""
        with suppress(FileNotFoundError):
            lines = self.log_path.read_text(errors="replace").splitlines()[-count:]
            return "\n".join(f"    {line}" for line in lines)
        return ""

    def _spawn(self, command: Command) -> subprocess.Popen[bytes]:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_LIMIT:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                wrapped(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=command.directory,
                env={**os.environ, **command.environment},
                start_new_session=True,
            )

    async def _until_ready(self) -> None:
        ended, serves = asyncio.create_task(self.wait()), asyncio.create_task(self._probe())
        try:
            await asyncio.wait({ended, serves}, timeout=self.ready_within, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise self._failed(f"ended with code {ended.result()} before it was ready")
            if not serves.done():
                raise self._failed(f"did not answer within {self.ready_within:.0f} s")
            serves.result()
        finally:
            ended.cancel()
            serves.cancel()

    async def _probe(self) -> None:
        while True:
            with suppress(OSError, TimeoutError, EOFError):
                if await asyncio.wait_for(self.ready(), timeout=5):
                    return
            await asyncio.sleep(_BETWEEN_PROBES)

    def _failed(self, what: str) -> StartFailedError:
        return StartFailedError(f"{self.name} {what}. The end of {self.log_path}:\n{self.last_log_lines()}")

    async def _sweep(self, child: subprocess.Popen[bytes]) -> None:
        """Kill what is left of the child, its group and all below, and wait until it is gone; once for each child."""
        if self._swept is child:
            return
        members = tree(child.pid)
        signal_tree(members, signal.SIGKILL)
        await self.wait()
        await until_gone(members, _BURIED_WITHIN)
        self._swept = child


class Job(Process):
    """A child that does one thing and ends."""

    def __init__(self, name: str, log: Path, command: Command) -> None:
        """Name it, with its log and how to start it."""
        super().__init__(name, log)
        self._job = command

    def command(self) -> Command:
        """Answer how to start it."""
        return self._job

    async def ready(self) -> bool:
        """A job has nothing to wait for but its end."""
        return True

    async def run(self) -> None:
        """Run it to its end; raise StartFailedError with the end of its log when it fails."""
        self._child = self._spawn(self._job)
        try:
            code = await self.wait()
        except BaseException:
            await self.kill()
            raise
        if code:
            raise self._failed(f"failed with code {code}")


async def all_at_once(*tasks: Coroutine[object, object, None]) -> None:
    """Run them together; at the first failure cancel the others, wait for them, and raise that failure alone."""
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
