"""From the resource to helm releases: one for each component, in the order in which they start."""

from collections.abc import Mapping
from typing import Any

from ecommerce_operator.components import DATASTORES, SERVICES, ServiceRow
from ecommerce_operator.model import OperatorSettings, Release, SecretNames
from ecommerce_operator.spec import Placed, Platform
from ecommerce_operator.values import Wish, datastore_values, service_values


def releases(
    platform: Platform, settings: OperatorSettings, secrets: SecretNames, digests: Mapping[str, str]
) -> tuple[Release, ...]:
    """Answers the wish for every component, in starting order; datastores in mode External have none.

    `digests` holds, by component, a digest of the secrets that it reads: a change of one rolls its pods. Under
    values.PROVISION_DIGEST is that of the secrets of all databases.
    """
    wish = Wish(platform, settings, secrets, digests)
    ours = [name for name in DATASTORES if platform.spec.datastores.of(name).ours]
    return (*(_datastore(wish, name) for name in ours), *(_service(wish, row, ours) for row in SERVICES))


def _datastore(wish: Wish, component: str) -> Release:
    values = datastore_values(wish, component)
    wanted = wish.platform.spec.datastores.of(component)
    return Release(
        component, component, wish.name_of(component), values, paused=_paused(wish, wanted), version=_version(values)
    )


def _service(wish: Wish, row: ServiceRow, ours: list[str]) -> Release:
    values = service_values(wish, row)
    needed = frozenset(row.datastores).intersection(ours)
    return Release(
        row.name,
        row.name,
        wish.name_of(row.name),
        values,
        # Without its database a service cannot even start; without the others it can, and waits for them itself.
        requires=needed & {"postgres"},
        after=needed.union(row.calls),
        paused=_paused(wish, wish.platform.spec.services.of(row.name)),
        version=_version(values),
    )


def _paused(wish: Wish, wanted: Placed) -> bool:
    return wish.platform.spec.paused or wanted.paused


def _version(values: Mapping[str, Any]) -> str:
    image = values["image"]
    return str(image.get("tag") or image.get("digest") or "")
