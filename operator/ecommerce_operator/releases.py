"""From the resource to helm releases: one for each component, in the order in which they start."""

from collections.abc import Mapping

from ecommerce_operator.model import OperatorSettings, Release, SecretNames
from ecommerce_operator.spec import Platform


def releases(
    platform: Platform, settings: OperatorSettings, secrets: SecretNames, digests: Mapping[str, str]
) -> tuple[Release, ...]:
    """Answers the wish for every component, in starting order; datastores in mode External have none.

    `digests` holds, by component, a digest of the secrets that it reads: a change of one rolls its pods.
    """
    raise NotImplementedError


def databases() -> tuple[str, ...]:
    """Answers the services that have a database of their own."""
    raise NotImplementedError
