"""Kafka as a child process: one node that is broker and controller at once (KRaft), formatted at first start."""

import asyncio
import base64
import secrets
import shutil
import subprocess
from pathlib import Path

from local.errors import StartFailedError
from local.launching import Command
from local.probes import kafka_answers
from local.processes import Process

_LOGGING = Path(__file__).with_name("log4j2.properties")
_NODE = 1


class Kafka(Process):
    """One Kafka node on 127.0.0.1; topics are only created by those who ask for them."""

    def __init__(self, java: Path, jars: Path, data: Path, log: Path, ports: tuple[int, int]) -> None:
        """Run the broker of `jars` on the folder `data`; `ports` are the clients' and the controller's."""
        super().__init__("kafka", log)
        self._java, self._jars, self._data = java, jars, data
        self._port, self._controller_port = ports

    @property
    def bootstrap_servers(self) -> str:
        """The address clients start from."""
        return f"127.0.0.1:{self._port}"

    async def prepare(self) -> None:
        """Write the settings; give a new data folder its cluster id, which it keeps."""
        (self._data / "tmp").mkdir(parents=True, exist_ok=True)
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in self._properties().items()))
        if not self._formatted.exists():
            await asyncio.to_thread(self._format)

    def command(self) -> Command:
        """Answer the broker's command line."""
        return Command(
            [*self._jvm(), "kafka.Kafka", str(self._settings)],
            ports={"Kafka": self._port, "Kafka's controller": self._controller_port},
        )

    async def ready(self) -> bool:
        """Tell whether it answers requests."""
        return await kafka_answers(self._port)

    @property
    def _settings(self) -> Path:
        return self._data / "server.properties"

    @property
    def _logs(self) -> Path:
        return self._data / "logs"

    @property
    def _formatted(self) -> Path:
        """Written last: a formatting that was interrupted is done again."""
        return self._data / "formatted"

    def _jvm(self) -> list[str]:
        flags = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "--sun-misc-unsafe-memory-access=allow"]
        folders = [f"-Djava.io.tmpdir={self._data / 'tmp'}", f"-Dlog4j2.configurationFile={_LOGGING}"]
        return [str(self._java), *flags, *folders, "-cp", f"{self._jars}/*"]

    def _properties(self) -> dict[str, object]:
        controller = f"127.0.0.1:{self._controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": _NODE,
            "controller.quorum.voters": f"{_NODE}@{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap_servers},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self._logs,
            "auto.create.topics.enable": "false",
            **_SINGLE_NODE,
        }

    def _format(self) -> None:
        shutil.rmtree(self._logs, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(b"e" + secrets.token_bytes(15)).decode().rstrip("=")
        tool = [*self._jvm(), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings)]
        done = subprocess.run(tool, check=False, capture_output=True, text=True)
        if done.returncode:
            raise StartFailedError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")
        self._formatted.write_text(cluster)


# What the defaults set for a cluster of three and many consumers, sized for one node with a 512 MB heap: internal
# topics of 4 partitions instead of 50 (each is a folder and open files), a cleaner's buffer of 8 MB instead of 128 MB.
# A new consumer is given its partitions at once instead of after 3 s, which waits for others to join. A killed broker
# may come back when its old session has run out: after 3 s instead of 9.
_SINGLE_NODE: dict[str, object] = {
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 4,
    "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
    "group.initial.rebalance.delay.ms": 0,
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "num.network.threads": 2,
    "num.io.threads": 4,
}
