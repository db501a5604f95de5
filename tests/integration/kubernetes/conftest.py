"""One node for all the tests here, in a folder of its own; skipped where a node cannot run."""

from collections.abc import Iterator

import pytest

from local.errors import ToolMissingError
from local.kubernetes.node import Node
from local.progress import to_terminal
from tests.integration.kubernetes.cluster import Kubectl, echo_image, namespace


@pytest.fixture(scope="package")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A running node with the tests' image and namespace."""
    node = Node(tmp_path_factory.mktemp("node") / "state", to_terminal)
    try:
        node.up()
    except ToolMissingError as error:
        pytest.skip(str(error))
    try:
        node.load(echo_image(tmp_path_factory.mktemp("image")))
        Kubectl(node).apply(namespace())
        yield node
    finally:
        node.down()


@pytest.fixture(scope="package")
def kubectl(node: Node) -> Kubectl:
    return Kubectl(node)
