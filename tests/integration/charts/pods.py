"""The datastores' start scripts as processes on this host: what a container of their charts runs.

Scripts and settings are those that the charts render; only folders, ports and the way to the programs are a test's own.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from local import artifacts
from local.launching import Command
from local.ports import free_ports
from local.processes import Process
from local.progress import silent
from tests.unit.charts.rendering import only, render

SUPERUSER: Final = {"username": "shop admin", "password": 'it\'s a \\ "secret" $1 $do$'}
Connection = Any  # asyncpg brings no types


def write_secret(folder: Path, content: Mapping[str, str]) -> None:
    """Writes what a Secret mounted there would hold."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for key, value in content.items():
        (folder / key).write_text(value)


class PostgresPod(Process):
    """The server of the postgres chart, with everything it has in one folder."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__("postgres", folder / "log")
        self.port = free_ports(["postgres"])["postgres"]
        self.volume, self.scripts, self.superuser = folder / "volume", folder / "scripts", folder / "superuser"
        for each in (self.volume, self.scripts, folder / "tmp"):
            each.mkdir()
        write_secret(self.superuser, SUPERUSER)
        values = {"superuser": {"secretName": "shop-postgres"}, "settings": dict(settings or {})}
        for name, text in only(render("postgres", values), "ConfigMap")["data"].items():
            here = text.replace("port = 5432", f"port = {self.port}").replace("'/tmp'", f"'{folder / 'tmp'}'")
            (self.scripts / name).write_text(here)

    @property
    def cluster(self) -> Path:
        """Where the data is."""
        return self.volume / "cluster"

    def command(self) -> Command:
        """As the container's command and environment."""
        programs = artifacts.postgres(silent) / "bin"
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "VOLUME": str(self.volume),
            "PGDATA": str(self.cluster),
            "SETTINGS": str(self.scripts),
            "SUPERUSER": str(self.superuser),
        }
        script = ["sh", str(self.scripts / "start.sh")]
        return Command(
            script, {"PostgreSQL": self.port}, environment, self.volume, stop_signal=signal.SIGINT, as_user=True
        )

    async def ready(self) -> bool:
        """As the readiness probe: whether it takes connections, whoever asks."""
        try:
            await (await self.connect(**SUPERUSER)).close()
        except asyncpg.InvalidPasswordError:
            return True
        except asyncpg.PostgresError:
            return False
        return True

    async def connect(self, username: str, password: str, database: str = "postgres") -> Connection:
        """Answers a connection of a role."""
        return await asyncpg.connect(
            host="127.0.0.1", port=self.port, user=username, password=password, database=database, timeout=5
        )


def provision(pod: PostgresPod, databases: Path, wait: int = 10) -> "subprocess.CompletedProcess[str]":
    """Runs the Job's script against the server, with a folder of the databases' secrets; answers how it went."""
    environment = {
        "PATH": os.environ["PATH"],
        "PGHOST": "127.0.0.1",
        "PGPORT": str(pod.port),
        "SCRIPTS": str(pod.scripts),
        "SUPERUSER": str(pod.superuser),
        "DATABASES": str(databases),
        "WAIT": str(wait),
    }
    return subprocess.run(
        ["sh", str(pod.scripts / "provision.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
