"""Several gateway processes behind one port, for a host whose processors one process cannot use.

The parent starts `count` copies of itself as ordinary single-process gateways. Each opens a listener of its own on the
same port (SO_REUSEPORT), and the kernel spreads connections over them. The parent only starts and stops them: SIGTERM
reaches each worker, which takes leave as any gateway does. A worker that dies takes all others with it, in order,
because whoever runs the gateway knows best how to start it again. Should the parent itself be killed, the kernel sends
its workers SIGTERM. Their metrics are added up through files in a temporary folder (prometheus_client's multiprocess
mode). In Kubernetes, more pods do the same better.
"""

import asyncio
import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from typing import Final

import structlog

from services.serving import accepting, require_free

log = structlog.get_logger(__name__)

# prctl(2): have a signal sent to this process when its parent ends.
_PR_SET_PDEATHSIG: Final = 1
# Seconds that workers have to end, beyond what each of them allows its requests.
STOP_SECONDS: Final = 25.0


class Workers:
    """`count` gateways on one port; `services.runtime.serve` runs it like a server."""

    def __init__(self, count: int, host: str, port: int, environment: Mapping[str, str]) -> None:
        self._count = count
        self._address = host, port
        self._environment = environment
        self._metrics = tempfile.TemporaryDirectory(prefix="gateway-metrics-")
        self._processes: list[asyncio.subprocess.Process] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Returns once the port accepts connections; raises OSError when it is taken."""
        require_free(*self._address)
        environment = {
            **self._environment,
            "WORKERS": "1",
            "PARENT_PID": str(os.getpid()),
            "PROMETHEUS_MULTIPROC_DIR": self._metrics.name,
        }
        for _ in range(self._count):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.gateway", "serve", env=environment
            )
            self._processes.append(process)
            self._watchers.append(asyncio.create_task(self._watch(process)))
        await accepting(*self._address)

    async def stop(self) -> None:
        """Tells every worker to stop and waits for them; kills those that do not."""
        self._stopping = True
        for process in self._processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        _, late = await asyncio.wait(self._watchers, timeout=STOP_SECONDS)
        for process in self._processes:
            if late and process.returncode is None:
                log.warning("a worker did not stop in time", pid=process.pid)
                process.kill()
        await asyncio.gather(*self._watchers)
        self._metrics.cleanup()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        if not self._stopping:
            log.critical("a worker ended by itself", pid=process.pid, status=status)
            signal.raise_signal(signal.SIGTERM)


def end_with_parent(parent_pid: int) -> None:
    """Has the kernel send this worker SIGTERM when its parent is gone, however it went (Linux).

    Raises SystemExit when it is gone already: then the kernel would have nothing to tell.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:
        raise SystemExit("The parent of this worker is gone.")
