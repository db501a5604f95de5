"""What a client is told when something fails: a sentence, a stable code, and never our insides.

Three kinds of errors reach this module. Those of services/errors.py say what the caller can do: their message and code
go out as they are. Those that GraphQL itself finds, in the document, the variables or the arguments, are the client's
to mend: INVALID. Everything else is a fault of ours: it is logged with its traceback and the client gets its id.
"""

import re
import uuid
from collections.abc import Sequence
from typing import Any, Final

import structlog
from graphql import GraphQLError
from opentelemetry import trace

from services.errors import EcommerceError, InternalError, InvalidError

log = structlog.get_logger(__name__)

# Values of the client's own are quoted in GraphQL's messages; more than this helps nobody.
MAX_MESSAGE: Final = 500
_SUGGESTION: Final = re.compile(r" Did you mean .*\?$", re.DOTALL)


class Failures:
    """Turns errors into members of an answer's `errors`; at most `most`, suggestions of names only on demand."""

    def __init__(self, most: int, *, suggestions: bool) -> None:
        self._most = most
        self._suggestions = suggestions

    def tell(self, errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
        """Answers the errors as the client sees them; faults of ours are logged."""
        told = [self._tell(error) for error in errors[: self._most]]
        if len(errors) > len(told):
            left_out = InvalidError(f"{len(errors) - len(told)} more errors are left out.")
            told.append({"message": left_out.message, "extensions": {"code": told[-1]["extensions"]["code"]}})
        return told

    def _tell(self, error: GraphQLError) -> dict[str, Any]:
        cause = _cause(error)
        member: dict[str, Any] = {"message": self._message(error, cause)}
        if error.locations:
            member["locations"] = [location.formatted for location in error.locations]
        if error.path is not None:
            member["path"] = error.path
        member["extensions"] = extensions(cause if cause is not None else InvalidError(error.message))
        return member

    def _message(self, error: GraphQLError, cause: Exception | None) -> str:
        if isinstance(cause, EcommerceError):
            return cause.message
        if cause is not None:
            return "Internal error."
        message = error.message if self._suggestions else _SUGGESTION.sub("", error.message)
        return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"


def tell_alone(error: Exception) -> dict[str, Any]:
    """Answers the one member of `errors` for a request of which nothing ran."""
    message = error.message if isinstance(error, EcommerceError) else "Internal error."
    return {"message": message, "extensions": extensions(error)}


def extensions(error: Exception) -> dict[str, Any]:
    """Answers the `extensions` of an error; logs it first where it is a fault of ours."""
    if isinstance(error, EcommerceError) and not isinstance(error, InternalError):
        return {"code": error.code}
    failure_id = _failure_id()
    log.error("a request failed by a fault of ours", failure_id=failure_id, exc_info=error)
    return {"code": InternalError.code, "id": failure_id}


def _cause(error: GraphQLError) -> Exception | None:
    """Answers what a resolver raised, or None where GraphQL itself found the error."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _failure_id() -> str:
    """The trace's id, by which the log lines of every service are found; a random one outside of any trace."""
    span = trace.get_current_span().get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else uuid.uuid4().hex
