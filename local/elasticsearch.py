"""Elasticsearch as a child process: one node without security, on loopback, started by our own Launcher.java."""

from pathlib import Path

from local.launching import Command
from local.probes import http_answers
from local.processes import Process

_LOGGING = Path(__file__).with_name("log4j2.properties")
_HEALTH = "/_cluster/health?wait_for_status=yellow&timeout=2s"


class Elasticsearch(Process):
    """One Elasticsearch node on 127.0.0.1."""

    def __init__(self, files: tuple[Path, Path, Path], data: Path, log: Path, ports: tuple[int, int]) -> None:
        """Run on the folder `data`; `files` are java, the server and the launcher, `ports` HTTP's and transport's."""
        super().__init__("elasticsearch", log)
        self._java, self._server, self._launcher = files
        self._data = data
        self._port, self._transport_port = ports

    @property
    def url(self) -> str:
        """The address of its HTTP interface."""
        return f"http://127.0.0.1:{self._port}"

    async def prepare(self) -> None:
        """Make its folders."""
        for folder in ("tmp", "config"):
            (self._data / folder).mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        """Answer the node's command line."""
        settings = [f"{name}={value}" for name, value in self._settings().items()]
        return Command(
            [*self._jvm(), "Launcher", *settings],
            ports={"Elasticsearch": self._port, "Elasticsearch's transport": self._transport_port},
        )

    async def ready(self) -> bool:
        """Tell whether every primary shard serves."""
        return await http_answers(self._port, _HEALTH)

    def _settings(self) -> dict[str, object]:
        return {
            "path.home": self._server / "home",
            "path.data": self._data / "data",
            "path.logs": self.log_path.parent,
            "cluster.name": "local",
            "node.name": "local",
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": self._port,
            "transport.port": self._transport_port,
            # a developer's disk is often fuller than the 85 % at which a node refuses new shards
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }

    def _jvm(self) -> list[str]:
        """Answer the JVM with the flags that the bare server needs: no official archive, no native vector code."""
        home, config = self._server / "home", self._data / "config"
        jars = ":".join(str(jar) for jar in sorted((self._server / "lib").glob("*.jar")))
        return [
            *(str(self._java), "-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData"),
            *(f"-Djava.io.tmpdir={self._data / 'tmp'}", f"-Dlog4j2.configurationFile={_LOGGING}"),
            *(f"-Des.path.home={home}", f"-Des.path.conf={config}", "-Des.distribution.type=tar"),
            *("-Dio.netty.noUnsafe=true", "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false"),
            *("--enable-native-access=ALL-UNNAMED", "-cp", f"{self._launcher}:{jars}"),
        ]
