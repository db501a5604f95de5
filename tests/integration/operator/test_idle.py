"""Claims about an operator that has nothing to do."""

import asyncio
import re
import sys

from ecommerce_operator.api import Api
from tests.integration.operator.kubelet import Kubelet
from tests.integration.operator.operator_process import Operator
from tests.integration.operator.world import World, until

QUIET = 20.0  # seconds; the whole minute that is promised is for e2e, on a cluster that does something itself
WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE"}


async def test_at_rest_there_is_no_write_and_there_are_few_reads(
    own_operator: Operator, world: World, kubelet: Kubelet, api: Api
) -> None:
    """With a platform that is as it should be, the operator writes nothing and reads next to nothing."""
    await world.apply()
    await world.ready()
    kubelet.holds.add("")  # it looks at nothing any more
    await until("the pass after the last status is over", lambda: writes_nothing(api))
    before, asked = await requests(api), await own_operator.metrics()
    await asyncio.sleep(QUIET)
    after, asked_after = await requests(api), await own_operator.metrics()
    grown = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    assert {name: count for name, count in grown.items() if name in WRITES} == {}
    own = sum(
        count - asked.get(name, 0)
        for name, count in asked_after.items()
        if name.startswith("ecommerce_operator_api_requests_total")
    )
    memory = asked_after["process_resident_memory_bytes"]
    # For reports: pytest -rP shows it.
    sys.stdout.write(f"At rest: {own:.0f} requests in {QUIET:.0f} s, {memory / 1e6:.0f} MB resident.\n")
    assert own <= 5
    assert memory < 160e6


async def writes_nothing(api: Api) -> bool:
    """Tells whether nobody wrote anything for some seconds."""
    before = await requests(api)
    await asyncio.sleep(5)
    after = await requests(api)
    return all(after.get(verb) == before.get(verb) for verb in WRITES)


async def requests(api: Api) -> dict[str, float]:
    """Answers how many requests for objects the API server has answered, by verb."""
    text = await api.request("GET", "/metrics", accept="text/plain")
    found: dict[str, float] = {}
    for line in text.splitlines():
        match = re.match(r"apiserver_request_total\{(.*)\} (\S+)$", line)
        if match and 'resource="' in line and "leases" not in line and "apiservices" not in line:
            verb = re.search(r'verb="(\w+)"', line)
            found[verb[1] if verb else ""] = found.get(verb[1] if verb else "", 0) + float(match[2])
    return found
