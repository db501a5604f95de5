"""The platform on one host, without containers: real datastores and every service as processes on loopback.

`Datastores` runs PostgreSQL, Kafka and Elasticsearch; `Platform` adds the services; `python -m local up` is `make dev`.
Everything is downloaded through package managers into a cache outside the checkout, and nothing outlives its parent.
"""

from local.datastores import Datastores, Layout
from local.errors import LocalError, PortTakenError, StartFailedError, ToolMissingError

__all__ = ["Datastores", "Layout", "LocalError", "PortTakenError", "StartFailedError", "ToolMissingError"]
