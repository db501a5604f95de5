"""The `restricted` Pod Security Standard, and what the platform asks of its pods beyond it.

Rules and their fields: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator
from typing import Any, Final

# Volumes that the standard allows.
_VOLUMES: Final = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_HOST: Final = ("hostNetwork", "hostPID", "hostIPC")

Fields = dict[str, Any]


def violations(pod: Fields) -> list[str]:
    """Answers in what way a pod's spec breaks the rules, a line for each."""
    return [*_of_pod(pod), *(line for container in containers(pod) for line in _of_container(container, pod))]


def containers(pod: Fields) -> list[Fields]:
    """Answers every container of a pod's spec, those of its start among them."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def _of_pod(pod: Fields) -> Iterator[str]:
    context = pod.get("securityContext", {})
    yield from (f"{field} is set" for field in _HOST if pod.get(field))
    for volume in pod.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= _VOLUMES:
            yield f"volume {volume['name']} is a {kinds}"
    if context.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "no seccomp profile"
    if context.get("sysctls"):
        yield "sysctls are set"
    if context.get("runAsUser") == 0:
        yield "runs as root"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the API server's credentials are mounted"
    if pod.get("enableServiceLinks") is not False:
        yield "variables of the namespace's Services are set"


def _of_container(container: Fields, pod: Fields) -> Iterator[str]:
    name, context = container["name"], container.get("securityContext", {})
    if not context.get("runAsNonRoot", pod.get("securityContext", {}).get("runAsNonRoot")):
        yield f"{name} may run as root"
    if context.get("runAsUser") == 0 or context.get("privileged") or context.get("procMount", "Default") != "Default":
        yield f"{name} is privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name} may become more"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context["capabilities"].get("add"):
        yield f"{name} keeps capabilities"
    if not context.get("readOnlyRootFilesystem"):
        yield f"{name} may write its root file system"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield f"{name} takes a port of the host"
    for bound in ("requests", "limits"):
        if set(container.get("resources", {}).get(bound, {})) < {"cpu", "memory"}:
            yield f"{name} has no {bound}"
