"""What kopf is told: which resource to watch, how to sign in, and to keep nothing in the resource.

Only the raw event is taken from kopf. It says that something has changed; what is to be done about that is worked out
from the whole resource (see `reconcile`), so kopf needs no finalizer, no annotations and no memory of its own.
"""

import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import kopf

from ecommerce_operator.controller import Controller
from ecommerce_operator.model import GROUP, PLURAL, VERSION

# Seconds; bookmarks come each minute, so a watch that is silent for longer is dead.
INACTIVITY: Final = 90.0
SERVER_TIMEOUT: Final = 480
CONNECT_TIMEOUT: Final = 15.0


class Backoffs:
    """Pauses between attempts without an end: an API server that is away for an hour does not end the operator."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.5, 1.0, 2.0, 4.0), itertools.repeat(8.0))


def configure(settings: kopf.OperatorSettings) -> None:
    """Sets kopf up."""
    settings.watching.server_timeout = SERVER_TIMEOUT
    settings.watching.client_timeout = SERVER_TIMEOUT + 60
    settings.watching.connect_timeout = CONNECT_TIMEOUT
    settings.watching.inactivity_timeout = INACTIVITY
    settings.watching.reconnect_backoff = 1.0
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = CONNECT_TIMEOUT
    settings.networking.error_backoffs = Backoffs()
    # One copy runs (replicas 1, Recreate), and two at once would do the same: see CONTRIBUTING.md.
    settings.peering.standalone = True
    settings.posting.enabled = False
    # The kinds are known and namespaces are named: nothing in the cluster needs to be discovered.
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = 20.0


def registry(controller: Controller, end: Callable[[], Awaitable[None]], *, by_file: bool) -> kopf.OperatorRegistry:
    """Answers the handlers; every event of a platform goes to the controller.

    `end` is called when kopf ends. It has to end every task that began after kopf: for those kopf waits five seconds.
    `by_file` says to sign in by a kubeconfig file rather than by the pod's service account.
    """
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)

    @kopf.on.login(registry=handlers)
    async def sign_in(**arguments: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**arguments) if by_file else kopf.login_with_service_account(**arguments)

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: Any) -> None:
        await end()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        body = dict(event["object"])
        body["metadata"] = {name: value for name, value in body["metadata"].items() if name != "managedFields"}  # type: ignore[attr-defined]  # a mapping
        controller.observe(body, deleted=event["type"] == "DELETED")

    return handlers
