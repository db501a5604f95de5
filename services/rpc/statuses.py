"""Errors as gRPC statuses, and statuses as errors.

A server of ours names the error's own code in the trailing metadata, beside the status. That makes the way back exact,
and it tells the client that the status was written by a service and for people: then its details become the error's
message. A status without it may come from gRPC itself, which says `UNAVAILABLE` with socket addresses in the details:
then the client makes a sentence of its own.
"""

from dataclasses import dataclass
from typing import Final

import grpc
import grpclib

from services.errors import (
    ConflictError,
    EcommerceError,
    ForbiddenError,
    InternalError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
)

# The trailing metadata's key for EcommerceError.code.
CODE_KEY: Final = "ecommerce-code"
# In characters. Each becomes up to 12 bytes of a header (percent-encoded UTF-8), and gRPC refuses headers above 8 KiB.
MAX_DETAILS: Final = 500
HIDDEN: Final = "Internal error."

_STATUS_OF_CODE: Final = {
    InvalidError.code: grpc.StatusCode.INVALID_ARGUMENT,
    UnauthenticatedError.code: grpc.StatusCode.UNAUTHENTICATED,
    ForbiddenError.code: grpc.StatusCode.PERMISSION_DENIED,
    NotFoundError.code: grpc.StatusCode.NOT_FOUND,
    ConflictError.code: grpc.StatusCode.ABORTED,
    RateLimitedError.code: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UnavailableError.code: grpc.StatusCode.UNAVAILABLE,
    InternalError.code: grpc.StatusCode.INTERNAL,
}
_ERROR_OF_CODE: Final[dict[str, type[EcommerceError]]] = {
    error.code: error
    for error in (
        InvalidError,
        UnauthenticatedError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        RateLimitedError,
        UnavailableError,
        InternalError,
    )
}
# Statuses that gRPC itself never makes (grpc.io/docs/guides/status-codes), so that their details are a service's words
# whoever wrote it; and two that a proxy may make, whose details are harmless.
_WORDS_OF_A_SERVICE: Final[dict[grpc.StatusCode, type[EcommerceError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: ConflictError,
    grpc.StatusCode.FAILED_PRECONDITION: ConflictError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: ForbiddenError,
}
# The same for those that gRPC makes too, with what is said instead of the details.
_WORDS_OF_GRPC: Final[dict[grpc.StatusCode, tuple[type[EcommerceError], str]]] = {
    grpc.StatusCode.UNAVAILABLE: (UnavailableError, "{} does not answer now."),
    grpc.StatusCode.CANCELLED: (UnavailableError, "{} does not answer now."),
    grpc.StatusCode.DEADLINE_EXCEEDED: (UnavailableError, "{} did not answer in time."),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (RateLimitedError, "{} has too much to do now."),
}


@dataclass(frozen=True, slots=True)
class Status:
    """What a server answers instead of a reply; `error_code` is None where the error tree has no say."""

    code: grpc.StatusCode
    details: str
    error_code: str | None = None

    @property
    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes beside the status."""
        return () if self.error_code is None else ((CODE_KEY, self.error_code),)


def status_of(error: BaseException) -> Status:
    """Answers the status for an error; one that is not for the caller's eyes becomes INTERNAL without its detail."""
    if isinstance(error, EcommerceError) and error.code in _STATUS_OF_CODE and error.code != InternalError.code:
        return Status(_STATUS_OF_CODE[error.code], _header(error.message), error.code)
    if isinstance(error, grpclib.GRPCError) and error.status is grpclib.const.Status.UNIMPLEMENTED:
        return Status(grpc.StatusCode.UNIMPLEMENTED, "This method is not implemented.")
    return Status(grpc.StatusCode.INTERNAL, HIDDEN, InternalError.code)


def error_of(code: grpc.StatusCode, details: str | None, error_code: str | None, service: str) -> EcommerceError:
    """Answers the error for a status that a call to `service` ended with; `error_code` is the metadata's, if any."""
    named = _ERROR_OF_CODE.get(error_code or "")
    if named is not None:
        return named(details or HIDDEN)
    if code in _WORDS_OF_A_SERVICE:
        return _WORDS_OF_A_SERVICE[code](details or f"{service} refused the request.")
    if code in _WORDS_OF_GRPC:
        error, words = _WORDS_OF_GRPC[code]
        return error(words.format(service))
    return InternalError(HIDDEN)


def _header(message: str) -> str:
    """Cuts a message to what a header carries, and replaces what UTF-8 cannot say."""
    return message[:MAX_DETAILS].encode(errors="replace").decode()
