"""By what an answer of the catalogue is found again: the operation as it means, not as it is written.

The key is a digest of the document without spaces and comments, the operation's name, and those variables that it
declares, as JSON with sorted members. Clients repeat themselves byte by byte, so a request's own bytes lead to its key
once it was worked out: a repeated request is neither decoded nor checked again.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    strip_ignored_characters,
)

# The root fields of what is kept; others are answered differently to each caller, or change with every release.
ROOT_FIELDS: Final = frozenset({"product", "__typename"})
# The largest request that is remembered, in bytes, and what one takes beside its own.
MAX_REQUEST: Final = 8 * 1024
REQUEST_BYTES: Final = 300

_canonical: Final = msgspec.json.Encoder(order="sorted").encode


class OperationKey:
    """What the keys of one operation have in common."""

    def __init__(self, document: DocumentNode, definition: OperationDefinitionNode) -> None:
        text = strip_ignored_characters(document.loc.source if document.loc else "")
        name = definition.name.value if definition.name else ""
        self._digest = hashlib.blake2b(f"{name}\n{text}".encode(), digest_size=20)
        self._declared = [each.variable.name.value for each in definition.variable_definitions or ()]

    def of(self, variables: Mapping[str, Any] | None) -> bytes:
        """Answers the key for these variables."""
        given = variables or {}
        digest = self._digest.copy()
        digest.update(_canonical({name: given[name] for name in self._declared if name in given}))
        return digest.digest()


def operation_key(document: DocumentNode, definition: OperationDefinitionNode) -> OperationKey | None:
    """Answers the key of a valid operation that does nothing but read the catalogue, and None for any other."""
    if definition.operation is not OperationType.QUERY:
        return None
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    asked = _root_fields(definition.selection_set, fragments)
    return OperationKey(document, definition) if "product" in asked and asked <= ROOT_FIELDS else None


def _root_fields(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> set[str]:
    asked: set[str] = set()
    pending, spread = [selections], set[str]()
    while pending:
        for selection in pending.pop().selections:
            if isinstance(selection, FieldNode):
                asked.add(selection.name.value)
            elif not isinstance(selection, FragmentSpreadNode):
                pending.append(selection.selection_set)  # type: ignore[attr-defined] # an inline fragment: no other kind
            elif selection.name.value not in spread:
                spread.add(selection.name.value)
                pending.append(fragments[selection.name.value].selection_set)
    return asked


class Recalled:
    """Keys by the bytes of requests; at most `max_bytes` of them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._keys: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, request: bytes) -> bytes | None:
        """Answers the request's key, and makes it the last to go."""
        key = self._keys.get(request)
        if key is not None:
            self._keys.move_to_end(request)
        return key

    def put(self, request: bytes, key: bytes) -> None:
        """Remembers the request, unless it is too large, and forgets those that were not used for longest."""
        if len(request) > MAX_REQUEST or request in self._keys:
            return
        self._keys[request] = key
        self._size += len(request) + REQUEST_BYTES
        while self._size > self._max_bytes:
            forgotten, _ = self._keys.popitem(last=False)
            self._size -= len(forgotten) + REQUEST_BYTES
