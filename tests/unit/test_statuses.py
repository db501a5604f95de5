"""Errors to statuses and back: every pair, and what never gets through."""

import grpc
import grpclib
import pytest

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
from services.rpc.statuses import CODE_KEY, HIDDEN, MAX_DETAILS, error_of, status_of

Code = grpc.StatusCode
PAIRS = [
    (InvalidError, Code.INVALID_ARGUMENT),
    (UnauthenticatedError, Code.UNAUTHENTICATED),
    (ForbiddenError, Code.PERMISSION_DENIED),
    (NotFoundError, Code.NOT_FOUND),
    (ConflictError, Code.ABORTED),
    (RateLimitedError, Code.RESOURCE_EXHAUSTED),
    (UnavailableError, Code.UNAVAILABLE),
]


class TakenError(ConflictError):
    """A more precise kind of conflict, as a service may have."""


@pytest.mark.parametrize(("error", "code"), PAIRS)
def test_an_error_arrives_as_itself(error: type[EcommerceError], code: Code) -> None:
    """Each error has its status, and comes out of it again with its class and its message."""
    status = status_of(error("Ünter 1 bis 5 Stück: ☃."))

    assert (status.code, status.details) == (code, "Ünter 1 bis 5 Stück: ☃.")
    assert status.trailing_metadata == ((CODE_KEY, error.code),)
    arrived = error_of(status.code, status.details, status.error_code, "ProductService")
    assert type(arrived) is error
    assert arrived.message == "Ünter 1 bis 5 Stück: ☃."


def test_a_subclass_travels_as_its_base() -> None:
    """An error that only its service knows arrives as the one of the tree that it derives from."""
    status = status_of(TakenError("Taken."))

    assert status.code is Code.ABORTED
    assert type(error_of(status.code, status.details, status.error_code, "X")) is ConflictError


@pytest.mark.parametrize(
    "error", [InternalError("secret"), RuntimeError("secret"), TimeoutError("secret"), EcommerceError("secret")]
)
def test_faults_are_hidden(error: Exception) -> None:
    """What is a fault of ours becomes INTERNAL, and not a word of it gets out."""
    status = status_of(error)

    assert (status.code, status.details) == (Code.INTERNAL, HIDDEN)
    assert "secret" not in repr(status)
    arrived = error_of(status.code, status.details, status.error_code, "X")
    assert type(arrived) is InternalError
    assert arrived.message == HIDDEN


def test_a_method_without_an_implementation_is_unimplemented() -> None:
    """What betterproto2's base classes raise for a method nobody wrote becomes UNIMPLEMENTED."""
    assert status_of(grpclib.GRPCError(grpclib.const.Status.UNIMPLEMENTED)).code is Code.UNIMPLEMENTED
    assert status_of(grpclib.GRPCError(grpclib.const.Status.UNAVAILABLE)).code is Code.INTERNAL


def test_messages_fit_a_header() -> None:
    """A message of any length and content becomes details that a header carries."""
    assert len(status_of(InvalidError("💸" * 10_000)).details) == MAX_DETAILS
    assert status_of(InvalidError("a\ud800b")).details == "a?b"


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (Code.INVALID_ARGUMENT, InvalidError, "words"),
        (Code.OUT_OF_RANGE, InvalidError, "words"),
        (Code.NOT_FOUND, NotFoundError, "words"),
        (Code.ALREADY_EXISTS, ConflictError, "words"),
        (Code.FAILED_PRECONDITION, ConflictError, "words"),
        (Code.ABORTED, ConflictError, "words"),
        (Code.UNAUTHENTICATED, UnauthenticatedError, "words"),
        (Code.PERMISSION_DENIED, ForbiddenError, "words"),
        (Code.UNAVAILABLE, UnavailableError, "ProductService does not answer now."),
        (Code.CANCELLED, UnavailableError, "ProductService does not answer now."),
        (Code.DEADLINE_EXCEEDED, UnavailableError, "ProductService did not answer in time."),
        (Code.RESOURCE_EXHAUSTED, RateLimitedError, "ProductService has too much to do now."),
        (Code.INTERNAL, InternalError, HIDDEN),
        (Code.UNKNOWN, InternalError, HIDDEN),
        (Code.UNIMPLEMENTED, InternalError, HIDDEN),
        (Code.DATA_LOSS, InternalError, HIDDEN),
    ],
)
def test_statuses_of_others(code: Code, error: type[EcommerceError], message: str) -> None:
    """A status without our mark keeps its details only where gRPC itself cannot have written them."""
    arrived = error_of(code, "words", None, "ProductService")

    assert type(arrived) is error
    assert arrived.message == message
    assert error_of(code, "words", "NO_SUCH_CODE", "ProductService").message == message


def test_a_status_without_words_gets_some() -> None:
    """An empty status is still a sentence for a person."""
    assert error_of(Code.NOT_FOUND, "", None, "ProductService").message == "ProductService refused the request."
    assert error_of(Code.NOT_FOUND, None, "NOT_FOUND", "ProductService").message == HIDDEN
