"""The addons' objects, brought into the cluster by kubectl: applied again on what is there, nothing changes."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

from local.errors import StartFailedError
from local.kubernetes.addons.model import Addon
from local.kubernetes.tools import tool
from local.progress import Report

_DEADLINE = 300.0  # seconds; 5 where nothing else runs
# Not `condition=Established`: that fails for a definition so young that it has no conditions yet.
_ESTABLISHED = "jsonpath={.status.conditions[?(@.type=='Established')].status}=True"
_OWNER = "--field-manager=ecommerce-platform-node"


async def apply(addons: Iterable[Addon], kubeconfig: Path, report: Report) -> None:
    """Apply all definitions, wait until the API server knows them, and apply all objects; raise StartFailedError."""
    found = tuple(addons)
    kubectl = [str(tool("kubectl", report)), f"--kubeconfig={kubeconfig}", "--request-timeout=120s"]
    applying = [*kubectl, "apply", "--server-side", "--force-conflicts", _OWNER]
    files = [f"--filename={path}" for addon in found for path in addon.definitions]
    if files:
        await _run([*applying, *files])
        await _run([*kubectl, "wait", f"--for={_ESTABLISHED}", "--timeout=240s", *files])
    objects = [each for addon in found for each in addon.objects]
    await _run([*applying, "--filename=-"], json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


async def _run(command: list[str], given: str = "") -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    try:
        said, _ = await asyncio.wait_for(process.communicate(given.encode()), _DEADLINE)
    except BaseException as error:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if isinstance(error, TimeoutError):
            raise StartFailedError(f"kubectl did not end within {_DEADLINE:.0f} s") from None
        raise
    if process.returncode:
        raise StartFailedError(f"the cluster refused what belongs to it:\n{said.decode()[-2000:]}")
