"""Prometheus' text format, read as far as tests need it."""

import re
from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.clusters import Stage

Sample = tuple[str, Mapping[str, str], float]
PORT = 9090


def samples(text: str) -> Iterator[Sample]:
    """Answers each sample: its name, its labels and its value."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


async def of_api_server(stage: Stage) -> dict[tuple[str, str], float]:
    """Answers how many requests the API server has had, by verb and resource."""
    counted: dict[tuple[str, str], float] = {}
    text = await stage.run("get", "--raw", "/metrics")
    wanted = "\n".join(line for line in text.splitlines() if re.match(r"apiserver_request_total\{", line))
    for _, labels, value in samples("# TYPE apiserver_request counter\n" + wanted + "\n"):
        key = labels.get("verb", ""), labels.get("resource", "")
        counted[key] = counted.get(key, 0) + value
    return counted


async def of_operator(stage: Stage, namespace: str) -> list[Sample]:
    """Answers the operator's own metrics."""
    return await of_pod(stage, namespace, await stage.operator_pod())


async def of_pod(stage: Stage, namespace: str, pod: str) -> list[Sample]:
    """Answers a pod's own metrics, read through the API server."""
    text = await stage.run("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}:{PORT}/proxy/metrics")
    return list(samples(text))
