"""The operator as a child process, as its image runs it."""

import signal
import sys
from pathlib import Path

import httpx

from local.launching import Command
from local.ports import free_ports
from local.processes import Process

ROOT = Path(__file__).parents[3]


class Operator(Process):
    """Started with a kubeconfig; `kill` is a SIGKILL."""

    ready_within = 60

    def __init__(
        self, kubeconfig: Path, folder: Path, helm: Path, namespaces: str = "", charts: Path | None = None
    ) -> None:
        super().__init__("operator", folder / "operator.log")
        self._ports = free_ports(("health", "metrics"))
        # What a killed one leaves is left there, and goes with the test's own files.
        self._temporary = folder / "temporary"
        self._environment = {
            "TMPDIR": str(self._temporary),
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBECONFIG": str(kubeconfig),
            "CHARTS": str(charts or ROOT / "charts"),
            "HELM": str(helm),
            "WATCH_NAMESPACES": namespaces,
            "PLATFORM_VERSION": "1.0.0",
            "HOST": "127.0.0.1",
            "HEALTH_PORT": str(self._ports["health"]),
            "METRICS_PORT": str(self._ports["metrics"]),
            "LOG_LEVEL": "DEBUG",
        }

    async def prepare(self) -> None:
        """Makes its folder for temporary files."""
        self._temporary.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        """Answers how it is started."""
        return Command(
            [sys.executable, "-m", "ecommerce_operator"],
            directory=ROOT,
            environment=self._environment,
            grace=60,
            stop_signal=signal.SIGTERM,
            ports=self._ports,
        )

    async def ready(self) -> bool:
        """Tells whether it answers its probe."""
        return (await self._get("health", "healthz")).status_code == 200

    async def health(self) -> httpx.Response:
        """Answers its probe's answer."""
        return await self._get("health", "healthz")

    async def metrics(self) -> dict[str, float]:
        """Answers its metrics by name and labels."""
        lines = (await self._get("metrics", "metrics")).text.splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def log(self) -> str:
        """Answers all that it has logged."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    async def _get(self, port: str, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=5) as client:
            try:
                return await client.get(f"http://127.0.0.1:{self._ports[port]}/{path}")
            except httpx.HTTPError as error:
                raise OSError(str(error)) from None
