"""Claims about a platform in which nothing changes: the operator writes nothing, and asks for little."""

import asyncio
import re
from collections import Counter

from local.up.installing import SYSTEM
from tests.e2e import metrics
from tests.e2e.clusters import Stage
from tests.e2e.platforms import Platform

SETTLED_AFTER = 30.0
MINUTE = 60.0
WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}
# What the cluster itself writes while it rests: heartbeats, tokens that it renews, access that it checks.
OF_THE_CLUSTER = {
    "leases", "nodes", "events", "serviceaccounts", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews",
    "pods", "endpointslices", "endpoints", "flowschemas", "prioritylevelconfigurations", "csistoragecapacities",
}  # fmt: skip
KINDS = "ecp,deployments,statefulsets,services,configmaps,secrets,networkpolicies,serviceaccounts,ingresses,jobs,pdb"


async def _versions(shop: Platform) -> dict[str, str]:
    found = await shop.objects(KINDS)
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in found}


async def test_a_quiet_minute(stage: Stage, shop: Platform) -> None:
    """No object changes, the API server sees no write of the operator's kinds, and the operator counts none itself."""
    await asyncio.sleep(SETTLED_AFTER)
    versions, api, own = await _versions(shop), await metrics.of_api_server(stage), await _own_requests(stage)
    await asyncio.sleep(MINUTE)
    versions_after, api_after, own_after = (
        await _versions(shop),
        await metrics.of_api_server(stage),
        await _own_requests(stage),
    )

    assert versions_after == versions
    written = {key: count - api.get(key, 0) for key, count in api_after.items() if key[0] in WRITES}
    assert not {key: count for key, count in written.items() if count and key[1] not in OF_THE_CLUSTER}
    asked = own_after - own
    assert not {verb: count for verb, count in asked.items() if verb.upper() in WRITES | {"CREATE", "UPDATE"}}
    memory = await _memory(stage)
    count = sum(asked.values())
    print(f"\nat rest: {count} requests of the operator in a minute {dict(asked)}, {memory:.0f} MiB of memory")
    assert count <= 60


async def _own_requests(stage: Stage) -> Counter[str]:
    """Answers the operator's requests to the API so far, by verb."""
    counted: Counter[str] = Counter()
    for name, labels, value in await metrics.of_operator(stage, SYSTEM):
        if re.search(r"api_requests_total$", name):
            counted[labels.get("verb") or labels.get("method") or "request"] += int(value)
    return counted


async def _memory(stage: Stage) -> float:
    """Answers the operator's resident memory in MiB."""
    found = {name: value for name, _, value in await metrics.of_operator(stage, SYSTEM)}
    return found["process_resident_memory_bytes"] / 2**20
