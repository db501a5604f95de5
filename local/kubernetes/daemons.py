"""A daemon as data: its command line, the files it reads, and the question that only a serving daemon answers.

Who runs it decides where: the control plane starts daemons on this host's loopback, the node inside its own
namespaces. Both turn the same description into a child process with `DaemonProcess`.
"""

import asyncio
import signal
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from urllib.parse import urlsplit

from local.kubernetes.certificates import write_private
from local.launching import Command
from local.processes import Process

_OK = 200


@dataclass(frozen=True, slots=True)
class Probe:
    """How a daemon shows that it serves.

    `http://` and `https://` addresses must answer GET with 200, the latter under `authority`'s certificate;
    `tcp://host:port` must accept a connection; `unix:///path` must be a socket that accepts one.
    """

    url: str
    authority: Path | None = None


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that runs as long as the cluster does.

    `files` are written (readable by their owner only) before each start; `folders` are made; `after` names the daemons
    that must serve first; `ports` names each TCP port that must be free on loopback.
    """

    name: str
    argv: tuple[str, ...]
    ready: Probe
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[Path, str] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    after: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    stop_signal: Signals = signal.SIGTERM
    grace: float = 10


class DaemonProcess(Process):
    """A daemon as a child of this process."""

    def __init__(self, daemon: Daemon, log: Path) -> None:
        """Run the daemon with its output in the file `log`."""
        super().__init__(daemon.name, log)
        self.daemon = daemon

    async def prepare(self) -> None:
        """Make its folders and write its files."""
        for folder in self.daemon.folders:
            folder.mkdir(parents=True, exist_ok=True)
        for path, text in self.daemon.files.items():
            write_private(path, text)

    def command(self) -> Command:
        """Answer the daemon's command line."""
        daemon = self.daemon
        return Command(
            daemon.argv,
            ports=daemon.ports,
            environment=daemon.environment,
            stop_signal=daemon.stop_signal,
            grace=daemon.grace,
        )

    async def ready(self) -> bool:
        """Tell whether it answers its probe."""
        return await answers(self.daemon.ready)


async def answers(probe: Probe) -> bool:
    """Ask once; raises OSError where nothing listens. The caller sets the deadline."""
    at = urlsplit(probe.url)
    if at.scheme == "unix":
        _, writer = await asyncio.open_unix_connection(at.path)
        writer.close()
        return True
    context = ssl.create_default_context(cafile=probe.authority) if at.scheme == "https" else None
    reader, writer = await asyncio.open_connection(at.hostname, at.port, ssl=context)
    try:
        if at.scheme == "tcp":
            return True
        request = f"GET {at.path or '/'} HTTP/1.1\r\nHost: {at.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        words = (await reader.readline()).split()
        return len(words) > 1 and int(words[1]) == _OK
    finally:
        writer.close()
