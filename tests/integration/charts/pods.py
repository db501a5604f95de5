"""The datastores' start scripts as processes on this host: what a container of their charts runs.

Scripts and settings are those that the charts render; only folders, ports and the way to the programs are a test's own.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg

from local import artifacts
from local.elasticsearch import Elasticsearch
from local.launching import Command
from local.ports import free_ports
from local.probes import http_answers
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


# The official image's programs, as far as the start script uses them; their JVM flags are not for every Java.
_PROGRAM: Final = """#!/bin/bash
mkdir -p "$LOG_DIR"
exec "{java}" --sun-misc-unsafe-memory-access=allow $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS $KAFKA_LOG4J_OPTS \\
  -cp "{jars}/*" {main} "$@"
"""
_FORMATTER: Final = "kafka-storage.sh"
_MAINS: Final = {_FORMATTER: "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}
CLUSTER_ID: Final = "c2hvcC1rYWZrYS1jbHVzdA"


class KafkaPod(Process):
    """The only broker of the kafka chart, with everything it has in one folder."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__("kafka", folder / "log")
        ports = free_ports(["kafka", "controller"])
        self.port, self.controller_port = ports["kafka"], ports["controller"]
        self.volume, self.scratch = folder / "volume", folder / "tmp"
        self.scripts, self._programs = folder / "scripts", folder / "bin"
        self.replicas = "1"
        for each in (self.volume, self.scratch, self.scripts, self._programs):
            each.mkdir()
        rendered = render("kafka", {"clusterId": CLUSTER_ID, "settings": dict(settings or {})})
        for name, text in only(rendered, "ConfigMap")["data"].items():
            (self.scripts / name).write_text(self._here(text))
        (container,) = only(rendered, "StatefulSet")["spec"]["template"]["spec"]["containers"]
        self._given = {each["name"]: self._here(each["value"]) for each in container["env"] if "value" in each}
        self._java, self._jars = artifacts.java(silent), artifacts.kafka(silent)
        for name, main in _MAINS.items():
            (self._programs / name).write_text(_PROGRAM.format(java=self._java, jars=self._jars, main=main))
            (self._programs / name).chmod(0o755)

    def hang_after_formatting(self, *, hanging: bool = True) -> None:
        """Has the tool that formats the volume do its work and then never end, until it is told otherwise."""
        program = _PROGRAM.format(java=self._java, jars=self._jars, main=_MAINS[_FORMATTER])
        if hanging:
            program = program.replace("exec ", "") + "exec sleep 3600\n"
        (self._programs / _FORMATTER).write_text(program)

    def command(self) -> Command:
        """As the container's command and environment; its address is one that leads back to this host."""
        own = {
            "POD_NAME": "shop-kafka-0",
            "REPLICAS": self.replicas,
            "VOLUME": str(self.volume),
            "SETTINGS": str(self.scripts),
            "SCRATCH": str(self.scratch),
            "BIN": str(self._programs),
            "LOG_DIR": str(self.scratch / "logs"),
        }
        ports = {"Kafka": self.port, "Kafka's controller": self.controller_port}
        return Command(["bash", str(self.scripts / "start.sh")], ports, {**self._given, **own})

    async def ready(self) -> bool:
        """What the probe's script says."""
        probe = ["bash", str(self.scripts / "probe.sh"), str(self.port)]
        child = await asyncio.create_subprocess_exec(*probe, stderr=asyncio.subprocess.DEVNULL)
        return await child.wait() == 0

    def _here(self, text: str) -> str:
        """Answers a text of the chart with this host's folders, ports and names."""
        changes = {
            "0@shop-kafka-0.shop-kafka-nodes.shop.svc:9093": f"0@localhost:{self.controller_port}",
            "$POD_NAME.$DOMAIN:9092": f"localhost:{self.port}",
            "://:9092": f"://127.0.0.1:{self.port}",
            "://:9093": f"://127.0.0.1:{self.controller_port}",
            "/var/lib/kafka/data": str(self.volume),
            "/etc/kafka/settings": str(self.scripts),
        }
        for before, after in changes.items():
            text = text.replace(before, after)
        return text


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
    return ran(["sh", str(pod.scripts / "provision.sh")], environment)


def ran(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Answers how a command went that ends by itself."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 scripts of our own


async def until_there(path: Path) -> None:
    """Waits until something is at a path."""
    while not path.exists():  # noqa: ASYNC110, ASYNC240 a file system has no event to wait for
        await asyncio.sleep(0.001)


# What comes before the first dot of the settings that the bare server knows.
_SERVERS_OWN: Final = ("cluster", "discovery", "network", "node", "http", "transport")


class ElasticsearchPod(Elasticsearch):
    """The only node of the elasticsearch chart: its settings on the bare server, which has no X-Pack and no ingest."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(["http", "transport"])
        files = artifacts.java(silent), artifacts.elasticsearch(silent), artifacts.launcher(silent)
        super().__init__(files, folder / "data", folder / "log", (ports["http"], ports["transport"]))
        self.http_port = ports["http"]
        (self.container,) = only(render("elasticsearch"), "StatefulSet")["spec"]["template"]["spec"]["containers"]

    async def answers(self, probe: str) -> bool:
        """Tells whether one of the container's probes passes."""
        return await http_answers(self.http_port, self.container[probe]["httpGet"]["path"])

    def _settings(self) -> dict[str, object]:
        given = {each["name"]: each["value"] for each in self.container["env"] if "value" in each}
        here = {"network.host": "127.0.0.1", "http.port": str(self.http_port)}
        known = {name: value for name, value in given.items() if name.partition(".")[0] in _SERVERS_OWN}
        return super()._settings() | known | here | {"transport.port": super()._settings()["transport.port"]}
