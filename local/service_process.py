"""One instance of a service as a child process."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from local.launching import Command
from local.probes import grpc_serves, http_answers
from local.processes import Job, Process
from local.topology import Service, worker_of

CHECKOUT = Path(__file__).resolve().parent.parent


class ServiceProcess(Process):
    """`python -m services.<name> serve`, or the command of a worker, ready when its health says so."""

    def __init__(self, service: Service, name: str, log: Path, environment: Mapping[str, str]) -> None:
        """Run an instance called `name` with an environment, which may be changed between stop and start."""
        super().__init__(name, log)
        self.environment = dict(environment)
        self._service = service
        self._worker = worker_of(name)

    async def migrate(self) -> None:
        """Bring its database to this code's version; raise StartFailedError."""
        await Job(f"{self.name} migrate", self.log_path, self._run("migrate")).run()

    def command(self) -> Command:
        """Answer how it is started. It drains on SIGTERM, also when its parent dies: its own workers end with it."""
        verb = self._worker.command if self._worker else "serve"
        return self._run(verb, {f"{self.name} ({kind})": port for kind, port in self._ports().items()})

    async def ready(self) -> bool:
        """Tell whether it serves: /readyz over HTTP, the standard health protocol over gRPC, a worker's metrics."""
        if self._worker:
            return await http_answers(self.port, "/metrics")
        if self._service.http:
            return await http_answers(self.port, "/readyz")
        return await grpc_serves(self.port)

    @property
    def port(self) -> int:
        """The port of its own protocol; a worker's is its metrics'."""
        if self._worker:
            return int(self.environment["METRICS_PORT"])
        return int(self.environment["HTTP_PORT" if self._service.http else "GRPC_PORT"])

    def _ports(self) -> dict[str, int]:
        names = ("HTTP_PORT", "GRPC_PORT", "METRICS_PORT")
        return {name.split("_")[0]: int(self.environment[name]) for name in names if name in self.environment}

    def _run(self, verb: str, ports: Mapping[str, int] | None = None) -> Command:
        return Command(
            [sys.executable, "-m", self._service.module, verb],
            ports=ports or {},
            environment=self.environment,
            directory=CHECKOUT,
            orphan_signal=signal.SIGTERM,
        )
