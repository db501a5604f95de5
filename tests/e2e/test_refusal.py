"""Claims about a bad resource: the API server itself refuses it, and says what to do."""

from typing import Any

import pytest

from local.up.programs import CommandFailedError
from tests.e2e.clusters import Stage
from tests.e2e.platforms import Platform

BAD: list[tuple[dict[str, Any], str]] = [
    ({"ingress": {"type": "Tunnel"}}, "ingress.type"),
    ({"datastores": {"postgres": {"mode": "External"}}}, "secretName"),
    ({"datastores": {"kafka": {"replicas": 2}}}, "datastores.kafka"),
    ({"ingress": {"tlsSecretName": "certificate", "host": ""}}, "host"),
    ({"services": {"gateway": {"autoscaling": {"minReplicas": 5, "maxReplicas": 2}}}}, "minReplicas"),
    ({"currency": {"code": "dollars"}}, "currency"),
]


@pytest.mark.parametrize(("spec", "named"), BAD, ids=[named for _, named in BAD])
async def test_a_bad_resource_is_refused(stage: Stage, spec: dict[str, Any], named: str) -> None:
    """The answer names the field; nothing is stored."""
    bad = Platform(stage, "bad", "default")
    manifest = bad.manifest | {"spec": spec}
    with pytest.raises(CommandFailedError, match=r"(?i)invalid|unsupported") as refusal:
        await stage.apply(manifest)
    assert named.lower() in str(refusal.value).lower()
    assert not await bad.resource()
    print(f"\n{str(refusal.value)[-300:]}")


async def test_the_currency_stays(shop: Platform) -> None:
    """Amounts are stored in minor units: another currency would change every price."""
    with pytest.raises(CommandFailedError, match=r"(?i)currency"):
        await shop.change({"currency": {"code": "JPY"}})
