"""A real API server that knows EcommercePlatforms, spoken to by kubectl."""

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from local.kubernetes.tools import tool
from local.progress import silent

ROOT: Final = Path(__file__).parents[3]
DEFINITION: Final = ROOT / "charts/crds/templates/ecommerceplatforms.yaml"


def platform(spec: Mapping[str, Any] | None = None, name: str = "shop") -> dict[str, Any]:
    """Answers a resource with that spec."""
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "ecommerce.dev/v1alpha1", "kind": "EcommercePlatform", "metadata": metadata, "spec": spec}


class Api:
    """kubectl against one API server."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def run(self, *arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
        """Runs kubectl; `given` goes to its standard input."""
        # A cache of its own: in the usual one, what an earlier server on the same port knew would be believed.
        cache = self._kubeconfig.with_name("kubectl-cache")
        command = [str(tool("kubectl", silent)), f"--kubeconfig={self._kubeconfig}", f"--cache-dir={cache}"]
        return subprocess.run(  # noqa: S603 it is our own kubectl
            [*command, "--request-timeout=30s", *arguments],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def tell(self, *arguments: str, given: object = None) -> str:
        """Answers what kubectl printed; it has to succeed."""
        ran = self.run(*arguments, given=given)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def tell_in_time(self, *arguments: str, seconds: float = 30) -> str:
        """Answers what kubectl printed as soon as it succeeds; a run takes long enough to need no pause after it."""
        until = time.monotonic() + seconds
        while (ran := self.run(*arguments)).returncode != 0:
            assert time.monotonic() < until, ran.stderr
        return ran.stdout

    def completed(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Answers a resource as the API server would store it."""
        text = self.tell("create", "--dry-run=server", "--output=json", "--filename=-", given=resource)
        stored: dict[str, Any] = json.loads(text)
        return stored

    def refusal(self, resource: Mapping[str, Any], verb: str = "create") -> str:
        """Answers the words with which the API server refuses a resource."""
        ran = self.run(verb, "--dry-run=server", "--filename=-", given=resource)
        assert ran.returncode != 0, f"accepted: {resource}"
        return ran.stderr


def definition() -> dict[str, Any]:
    """Answers the CustomResourceDefinition."""
    read: dict[str, Any] = yaml.safe_load(DEFINITION.read_text())
    return read
