"""The operator's composition root: `python -m ecommerce_operator`.

It waits until the API server knows the EcommercePlatform, watches everything it owns, and hands the platforms to kopf.
When one of its parts ends, all of it ends, and whoever runs it starts it again: everything it knows is in the cluster.
"""

import asyncio
import sys
import time
from contextlib import AsyncExitStack, suppress

import kopf
import structlog
from pydantic import ValidationError

from ecommerce_operator import logs, probes
from ecommerce_operator.api import Api, connect, in_cluster
from ecommerce_operator.canary import Canary
from ecommerce_operator.cluster import Cluster
from ecommerce_operator.controller import Controller
from ecommerce_operator.errors import OperatorError
from ecommerce_operator.events import Events
from ecommerce_operator.handlers import registry
from ecommerce_operator.kinds import KINDS, PLATFORM
from ecommerce_operator.memory import Memory
from ecommerce_operator.metrics import REGISTRY
from ecommerce_operator.publisher import Publisher
from ecommerce_operator.reconcile import Reconciler
from ecommerce_operator.render import Renderer
from ecommerce_operator.settings import Settings
from ecommerce_operator.store import Store
from ecommerce_operator.watches import Watches

# Seconds between looks for the definition, which is installed on its own.
UNDEFINED_PAUSE = 3.0

log = structlog.get_logger("ecommerce_operator")


async def run(settings: Settings) -> None:
    """Runs the operator until it is stopped or a part of it ends."""
    clock = time.monotonic
    async with AsyncExitStack() as stack:
        api = Api(await connect(settings.kubeconfig))
        stack.push_async_callback(api.close)
        # The controller is woken by the store, which is there before it.
        store = Store(lambda namespace, name: controller.wake(namespace, name))  # noqa: PLW0108 it is not bound yet
        cluster = Cluster(api, store)
        watches = Watches(api, store, KINDS, settings.watch_namespaces, clock)
        publisher = Publisher(cluster, store, Events(cluster, clock), settings.platform, clock)
        renderer = Renderer(settings.helm, settings.charts)
        reconciler = Reconciler(cluster, store, renderer, publisher, settings.platform, clock=clock)
        controller = Controller(
            reconciler.reconcile, lambda body: Memory.of(body, cluster, store), watches.synced, clock
        )
        canary = Canary(api, settings.watch_namespaces, controller, clock)
        health = probes.health(watches.stalled, controller.stalled, canary.late)
        health_port = await probes.serve(settings.host, settings.health_port, "/healthz", health, stack)
        metrics_port = await probes.serve(
            settings.host, settings.metrics_port, "/metrics", probes.metrics(REGISTRY), stack
        )
        log.info("The operator starts.", health=health_port, metrics=metrics_port, charts=str(settings.charts))
        await _until_defined(cluster)
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(part) for part in (watches.run(), canary.run())]

            async def end() -> None:
                await controller.close()
                for task in background:
                    task.cancel()
                await asyncio.wait(background)

            try:
                await kopf.operator(
                    registry=registry(controller, end, by_file=bool(settings.kubeconfig) or not in_cluster()),
                    clusterwide=not settings.watch_namespaces,
                    namespaces=settings.watch_namespaces,
                    standalone=True,
                )
            finally:
                await end()


async def _until_defined(cluster: Cluster) -> None:
    """Waits until the API server knows the resource; says so once a minute while it does not."""
    looks = 0
    while True:
        with suppress(OperatorError):
            if await cluster.served(PLATFORM):
                return
        if looks % 20 == 0:
            log.warning("The API server does not know EcommercePlatforms: is the chart `crds` installed?")
        looks += 1
        await asyncio.sleep(UNDEFINED_PAUSE)


def main() -> int:
    """Runs the operator; answers the exit code."""
    try:
        settings = Settings()
    except ValidationError as error:
        names = ", ".join(f"{'_'.join(map(str, fault['loc'])).upper()} ({fault['msg']})" for fault in error.errors())
        sys.stderr.write(f"These settings cannot be used: {names}\n")
        return 2
    logs.start(settings.log_format, settings.log_level)
    try:
        asyncio.run(run(settings))
    except Exception as error:  # noqa: BLE001 the process ends either way; one line says why
        log.error("The operator ends.", error=type(error).__name__, detail=_first(error))  # noqa: TRY400 (as above)
        return 1
    return 0


def _first(error: BaseException) -> str:
    """Answers the text of what was first to go wrong."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
