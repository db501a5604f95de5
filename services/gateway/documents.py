"""From a query's text to a document that may run: parsed, measured, validated, and kept.

Clients send the same few texts again and again, and parsing and validating one costs more than most requests' work.
So good documents are kept by their text, the least recently used ones going first when there are too many or too much
text. Bad ones are not kept: they cost their sender a request each.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    MaxIntrospectionDepthRule,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)

from services.errors import InvalidError
from services.gateway.catalogue_keys import OperationKey, operation_key
from services.gateway.limits import Limits, check_document

MAX_KEPT: Final = 1_000
# Characters of query text kept in all. A parsed document takes about a hundred times its text.
MAX_KEPT_TEXT: Final = 512 * 1024


class RequestError(Exception):
    """The request cannot run: what GraphQL calls a request error, with every reason found."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Operation:
    """A document that may run and the one operation of it that was asked for."""

    document: DocumentNode
    definition: OperationDefinitionNode
    # By what its answers are found again; None for whatever is not a read of the catalogue alone.
    key: OperationKey | None

    @property
    def kind(self) -> str:
        """`query` or `mutation`."""
        return self.definition.operation.value


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A valid document and those of its operations that were asked for."""

    document: DocumentNode
    operations: dict[str | None, Operation] = field(default_factory=dict)

    def operation(self, name: str | None) -> Operation:
        operation = self.operations.get(name)
        if operation is None:
            definition = get_operation_ast(self.document, name)
            if definition is None:
                raise RequestError([GraphQLError(_no_operation(name))])
            operation = Operation(self.document, definition, operation_key(self.document, definition))
            self.operations[name] = operation
        return operation


class Documents:
    """Prepares query texts for one schema; `introspection` off also hides names from error messages."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, introspection: bool) -> None:
        self._schema = schema
        self._limits = limits
        self._hide_suggestions = not introspection
        self._rules = [*specified_rules, MaxIntrospectionDepthRule]
        if not introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)
        self._kept: OrderedDict[str, _Prepared] = OrderedDict()
        self._kept_text = 0

    def operation(self, query: str, name: str | None) -> Operation:
        """Answers the operation of that name, or the only one; raises RequestError with all that is wrong."""
        prepared = self._kept.get(query)
        if prepared is None:
            prepared = _Prepared(self._prepare(query))
            self._keep(query, prepared)
        else:
            self._kept.move_to_end(query)
        return prepared.operation(name)

    def _prepare(self, query: str) -> DocumentNode:
        try:
            # Comments have a count of their own, so that they cost no more than tokens.
            tokens = self._limits.tokens
            document = parse(query, no_location=False, max_lexical_tokens=tokens, max_comments=tokens)
            check_document(document, self._limits)
        except GraphQLError as error:
            raise RequestError([error]) from None
        except InvalidError as error:
            raise RequestError([GraphQLError(error.message)]) from None
        errors = validate(
            self._schema,
            document,
            self._rules,
            max_errors=self._limits.errors,
            hide_suggestions=self._hide_suggestions,
        )
        if errors:
            raise RequestError(errors)
        return document

    def _keep(self, query: str, prepared: _Prepared) -> None:
        self._kept[query] = prepared
        self._kept_text += len(query)
        while len(self._kept) > MAX_KEPT or self._kept_text > MAX_KEPT_TEXT:
            text, _ = self._kept.popitem(last=False)
            self._kept_text -= len(text)


def _no_operation(name: str | None) -> str:
    if name is None:
        return "The document has several operations or none: say by operationName which one to run."
    return "The document has no operation of the name that operationName gives."
