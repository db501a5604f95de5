"""What one GraphQL request may ask for, and how much that is.

A few characters of GraphQL can ask for a great deal: fields nest, aliases repeat them, and a fragment that uses two
others twice doubles the work at every step. So a document is measured before it is validated or run: each operation
is walked once with its fragments expanded (a fragment's own size is worked out once and reused, so that the walk
stays linear), and the first limit that it passes is named. The parser holds the limit on tokens, msgspec and the
endpoint that on the body.

Introspection nests deeper than shops do, so the fields under `__schema` and `__type` have a depth of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TokenKind,
    ValueNode,
)

from services.errors import InvalidError

# The introspection query of GraphiQL and of code generators is 15 deep.
INTROSPECTION_DEPTH: Final = 20
# Digits of a number in the document: beyond any Float's.
MAX_DIGITS: Final = 400
_NUMBERS: Final = frozenset({TokenKind.INT, TokenKind.FLOAT})
# Fields and fragments inside one another, whatever they are: bounds the recursion of the walk.
MAX_NESTING: Final = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on one request; each is a setting, and passing one is an InvalidError that names it."""

    # Bytes of the HTTP body.
    body: int = 256 * 1024
    tokens: int = 2_000
    depth: int = 12
    aliases: int = 30
    root_fields: int = 20
    # Fields of an operation with its fragments expanded. The introspection query of GraphiQL has about 200.
    fields: int = 500
    # Items of a list in the arguments or in the variables.
    list_items: int = 1_000
    # Orders, their lines and payments in one answer, wherever they stand: what aliases and pages multiply. Converting
    # and writing so many takes about a second.
    objects: int = 50_000
    # Errors told in an answer.
    errors: int = 20
    # Seconds for the whole request, its body included.
    seconds: float = 10.0
    # Requests at the same time; more are told to come back.
    concurrent: int = 512


class Size(NamedTuple):
    """How much a selection set asks for, its fragments expanded."""

    depth: int = 0
    introspection_depth: int = 0
    aliases: int = 0
    fields: int = 0
    root_fields: int = 0


def check_document(document: DocumentNode, limits: Limits) -> None:
    """Raises InvalidError naming the first limit that an operation of the document passes."""
    _check_numbers(document)
    measure = _Measure(document, limits)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            _check_size(measure.size(definition.selection_set), limits)
            for variable in definition.variable_definitions or ():
                measure.check_lists(variable.default_value)


def check_variables(variables: Mapping[str, Any] | None, limits: Limits) -> None:
    """Raises InvalidError when a list anywhere in the variables is too long."""
    pending: list[Any] = [variables]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            _check_length(len(value), limits)
            pending.extend(value)


def _check_size(size: Size, limits: Limits) -> None:
    for what, measured, most in (
        ("nests its fields {} deep", size.depth, limits.depth),
        ("nests introspection {} deep", size.introspection_depth, INTROSPECTION_DEPTH),
        ("has {} aliases", size.aliases, limits.aliases),
        ("has {} fields at its root", size.root_fields, limits.root_fields),
        ("asks for {} fields", size.fields, limits.fields),
    ):
        if measured > most:
            # Expanded fragments can make a number of hundreds of digits.
            told = str(measured) if measured < 10**6 else "millions of"
            raise InvalidError(f"The query {what.format(told)}; the limit is {most}.")


def _check_numbers(document: DocumentNode) -> None:
    """Refuses numbers that no type of ours holds before Python, which has its own limit, is asked to read them."""
    token = document.loc.start_token if document.loc else None
    while token is not None:
        if token.kind in _NUMBERS and token.end - token.start > MAX_DIGITS:
            raise InvalidError(f"A number has more than {MAX_DIGITS} digits.")
        token = token.next


def _check_length(length: int, limits: Limits) -> None:
    if length > limits.list_items:
        raise InvalidError(f"A list has {length} items; the limit is {limits.list_items}.")


class _Measure:
    """One document's walk; keeps each fragment's size and refuses to follow a cycle."""

    def __init__(self, document: DocumentNode, limits: Limits) -> None:
        self._limits = limits
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._sizes: dict[str, Size] = {}
        self._open: set[str] = set()

    def size(self, selections: SelectionSetNode | None, nesting: int = 0) -> Size:
        """Answers the size of a selection set; raises InvalidError when it nests beyond any use."""
        if nesting > MAX_NESTING:
            raise InvalidError("The query nests too deeply.")
        if selections is None:
            return Size()
        return _sum(self._selection(selection, nesting) for selection in selections.selections)

    def check_lists(self, value: ValueNode | None) -> None:
        """Raises InvalidError when a list written in the document is too long."""
        if isinstance(value, ListValueNode):
            _check_length(len(value.values), self._limits)
            for item in value.values:
                self.check_lists(item)
        elif isinstance(value, ObjectValueNode):
            for field in value.fields:
                self.check_lists(field.value)

    def _selection(self, selection: Any, nesting: int) -> Size:
        if isinstance(selection, FieldNode):
            return self._field(selection, nesting)
        if isinstance(selection, FragmentSpreadNode):
            return self._spread(selection.name.value, nesting)
        return self.size(selection.selection_set, nesting + 1)

    def _field(self, field: FieldNode, nesting: int) -> Size:
        for argument in field.arguments or ():
            self.check_lists(argument.value)
        inner = self.size(field.selection_set, nesting + 1)
        aliases, fields = inner.aliases + (field.alias is not None), inner.fields + 1
        if field.name.value in ("__schema", "__type"):
            deepest = 1 + max(inner.depth, inner.introspection_depth)
            return Size(1, deepest, aliases, fields, root_fields=1)
        return Size(inner.depth + 1, inner.introspection_depth, aliases, fields, root_fields=1)

    def _spread(self, name: str, nesting: int) -> Size:
        known = self._sizes.get(name)
        if known is not None:
            return known
        fragment = self._fragments.get(name)
        if fragment is None or name in self._open:
            # Validation reports both, an unknown fragment and a cycle.
            return Size()
        self._open.add(name)
        self._sizes[name] = self.size(fragment.selection_set, nesting + 1)
        self._open.discard(name)
        return self._sizes[name]


def _sum(sizes: Iterable[Size]) -> Size:
    """Answers the size of selections side by side: depths by the deepest, counts together."""
    depth = introspection_depth = aliases = fields = root_fields = 0
    for size in sizes:
        depth = max(depth, size.depth)
        introspection_depth = max(introspection_depth, size.introspection_depth)
        aliases += size.aliases
        fields += size.fields
        root_fields += size.root_fields
    return Size(depth, introspection_depth, aliases, fields, root_fields)
