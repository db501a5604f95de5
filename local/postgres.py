"""PostgreSQL as a child process: its cluster made at first start, its password kept beside it.

The server refuses root; for root it runs in a user namespace, where it has another uid and the same access to files.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import asyncpg

from local.errors import StartFailedError
from local.launching import Command, wrapped
from local.processes import Process
from local.secrets import keep, token

_USER = "postgres"
_MAINTENANCE = "postgres"


class Postgres(Process):
    """One PostgreSQL server on 127.0.0.1 with scram passwords.

    `durable=False` trades safety in a power cut for speed. A killed server still loses nothing it acknowledged: commits
    stay synchronous, so the kernel has them.
    """

    def __init__(self, binaries: Path, data: Path, log: Path, port: int, *, durable: bool = True) -> None:
        """Run the server of `binaries` on the folder `data`."""
        super().__init__("postgres", log)
        self._binaries = binaries / "bin"
        self._data = data / "cluster"
        self._password_file = data / "password"
        self._port = port
        self._durable = durable

    def url(self, database: str) -> str:
        """Answer the SQLAlchemy address of a database, through asyncpg."""
        return f"postgresql+asyncpg://{_USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    async def create_database(self, name: str) -> None:
        """Create a database unless it is there."""
        connection = await self._connect()
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        except asyncpg.DuplicateDatabaseError:
            return
        finally:
            await connection.close()

    async def prepare(self) -> None:
        """Make the cluster at first start, and clear what a killed server left."""
        keep(self._password_file, token)
        if not self._data.exists():
            await asyncio.to_thread(self._initialise)
        self._remove_stale_lock()

    def command(self) -> Command:
        """Answer the server's command line; SIGINT is its fast shutdown, which does not wait for clients."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "dynamic_shared_memory_type": "mmap",  # inside the data folder: nothing is left in /dev/shm after a kill
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return Command(
            [str(self._binaries / "postgres"), "-D", str(self._data), *options],
            ports={"PostgreSQL": self._port},
            stop_signal=signal.SIGINT,
            as_user=True,
        )

    async def ready(self) -> bool:
        """Tell whether it takes connections."""
        try:
            connection = await self._connect()
        except asyncpg.PostgresError:
            return False
        await connection.close()
        return True

    @property
    def _password(self) -> str:
        return keep(self._password_file, token)

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            host="127.0.0.1", port=self._port, user=_USER, password=self._password, database=_MAINTENANCE, timeout=5
        )

    def _initialise(self) -> None:
        """Make the cluster. Its collation is PostgreSQL's own C.UTF-8, so that the host's locales do not matter."""
        draft = self._data.with_name("cluster.new")  # renamed when complete: initdb may be interrupted
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        locale = ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        command = Command(
            [
                *(str(self._binaries / "initdb"), "-D", str(draft), f"--username={_USER}", *locale),
                *("--auth=scram-sha-256", f"--pwfile={self._password_file}", "--no-sync"),
            ],
            as_user=True,
        )
        done = subprocess.run(
            [*wrapped(command)], check=False, capture_output=True, text=True, env={**os.environ, "TZ": "UTC"}
        )
        if done.returncode:
            raise StartFailedError(f"initdb failed:\n{done.stdout}{done.stderr}")
        draft.rename(self._data)

    def _remove_stale_lock(self) -> None:
        """Remove a killed server's postmaster.pid: its pid may be another program's now, which stops PostgreSQL."""
        lock = self._data / "postmaster.pid"
        if not lock.exists():
            return
        pid = lock.read_text().split("\n", 1)[0]
        command = Path("/proc", pid, "cmdline")
        if command.exists() and str(self._data).encode() in command.read_bytes():
            raise StartFailedError(f"{self._data} is in use by the PostgreSQL server with pid {pid}")
        lock.unlink()
