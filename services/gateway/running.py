"""Runs one operation for one caller, and makes its answer.

graphql-core does it, with Strawberry's resolvers and the schema's executor. Whatever a resolver raises becomes a
member of `errors`; whatever is raised beside them, and a deadline that passes, becomes an answer of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, execute
from graphql.execution import Executor
from strawberry.execution import optimized_is_awaitable

from services.gateway.answers import Answer, answer_of, refusal
from services.gateway.context import Context
from services.gateway.documents import Operation
from services.gateway.failures import Failures
from services.gateway.limits import Limits
from services.gateway.request import GraphQLRequest


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs operations of one schema."""

    schema: GraphQLSchema
    executor: type[Executor[Any]] | None
    limits: Limits
    failures: Failures
    hide_suggestions: bool

    async def run(self, request: GraphQLRequest, operation: Operation, context: Context) -> Answer:
        """Answers the operation's data and errors; the cookies that its resolvers set go along."""
        result = execute(
            self.schema,
            operation.document,
            variable_values=request.variables,
            operation_name=request.operation_name,
            context_value=context,
            executor_class=self.executor,
            is_awaitable=cast("Callable[[Any], TypeGuard[Awaitable[Any]]]", optimized_is_awaitable),
            max_coercion_errors=self.limits.errors,
            hide_suggestions=self.hide_suggestions,
        )
        if not isinstance(result, ExecutionResult):
            result = await result
        cookies = [(b"set-cookie", cookie.encode()) for cookie in context.set_cookies]
        return answer_of(self._members(result.data, result.errors), operation=operation.kind, more=cookies)

    def _members(self, data: dict[str, Any] | None, errors: Sequence[GraphQLError] | None) -> dict[str, Any]:
        if not errors:
            return {"data": data}
        told = self.failures.tell(errors)
        # Where no field was reached, the variables did not fit: a request error, which has no data at all.
        if data is None and all(error.path is None for error in errors):
            return {"errors": told}
        return {"errors": told, "data": data}


async def in_time(answering: Coroutine[Any, Any, Answer], seconds: float) -> Answer:
    """Answers what `answering` does, or why it does not: it took too long, or something was raised."""
    try:
        async with asyncio.timeout(seconds):
            return await answering
    except Exception as error:  # noqa: BLE001 the edge: every error becomes an answer
        return refusal(error)
