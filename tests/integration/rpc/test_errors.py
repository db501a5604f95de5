"""Failures over real sockets: every error and status, garbage, and what must not get out."""

from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.product import v1 as product_v1
from protos.gen.ecommerce.product.v1 import GetProductRequest as Request
from protos.gen.ecommerce.product.v1 import GetProductResponse as Response
from protos.gen.ecommerce.product.v1 import Product
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
from tests.integration.rpc.conftest import Loopback, refusal


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidError, grpc.StatusCode.INVALID_ARGUMENT),
        (UnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
        (ForbiddenError, grpc.StatusCode.PERMISSION_DENIED),
        (NotFoundError, grpc.StatusCode.NOT_FOUND),
        (ConflictError, grpc.StatusCode.ABORTED),
        (RateLimitedError, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (UnavailableError, grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_errors_cross_the_wire(loopback: Loopback, error: type[EcommerceError], code: grpc.StatusCode) -> None:
    """An error that a handler raises is its status on the wire, and the same error again where the call was made."""

    async def fail(_: Request) -> Response:
        raise error("Ça ne va pas: ☃.")

    server = await loopback.serve(fail)

    raw = await refusal(loopback.raw(server.port))
    with pytest.raises(EcommerceError) as caught:
        await loopback.stub(server.port).get_product(Request())

    assert (raw.code(), raw.details()) == (code, "Ça ne va pas: ☃.")
    assert type(caught.value) is error
    assert caught.value.message == "Ça ne va pas: ☃."


async def test_the_longest_message_arrives(loopback: Loopback) -> None:
    """Even the worst message that an error can have is answered as that error, not as a transport failure."""

    async def fail(_: Request) -> Response:
        raise NotFoundError("💸" * 100_000)

    server = await loopback.serve(fail)

    for _ in range(20):  # gRPC refuses headers between 8 and 16 KiB at random
        with pytest.raises(NotFoundError, match=r"^💸+$"):
            await loopback.stub(server.port).get_product(Request())


async def test_faults_are_logged_and_hidden(loopback: Loopback) -> None:
    """An unforeseen error is INTERNAL without its detail for the caller, and a traceback in the log."""

    async def fail(_: Request) -> Response:
        raise RuntimeError("the password is 123")

    server = await loopback.serve(fail)

    with capture_logs() as logs:
        raw = await refusal(loopback.raw(server.port))
        with pytest.raises(InternalError, match=r"^Internal error\.$"):
            await loopback.stub(server.port).get_product(Request())

    assert (raw.code(), raw.details()) == (grpc.StatusCode.INTERNAL, "Internal error.")
    assert "123" not in str(raw.debug_error_string())
    failures = [line for line in logs if line["event"] == "a call failed" and line["log_level"] == "error"]
    assert len(failures) == 2
    assert failures[0]["exc_info"]
    assert failures[0]["method"] == "GetProduct"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.FAILED_PRECONDITION, ConflictError),
        (grpc.StatusCode.ALREADY_EXISTS, ConflictError),
        (grpc.StatusCode.OUT_OF_RANGE, InvalidError),
        (grpc.StatusCode.UNAVAILABLE, UnavailableError),
        (grpc.StatusCode.CANCELLED, UnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, UnavailableError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, RateLimitedError),
        (grpc.StatusCode.UNKNOWN, InternalError),
        (grpc.StatusCode.DATA_LOSS, InternalError),
        (grpc.StatusCode.UNIMPLEMENTED, InternalError),
    ],
)
async def test_foreign_statuses(loopback: Loopback, code: grpc.StatusCode, error: type[EcommerceError]) -> None:
    """A status that no server of ours sends is still one of the errors that callers know."""

    async def behave(_: bytes, call: Any) -> bytes:
        await call.abort(code, "foreign words")
        return b""

    port = await loopback.foreign(behave)

    with pytest.raises(EcommerceError) as caught:
        await loopback.stub(port).get_product(Request())

    assert type(caught.value) is error


async def test_garbage_is_an_invalid_request(loopback: Loopback) -> None:
    """Bytes that are no message are INVALID_ARGUMENT, and the handler never sees them."""
    server = await loopback.serve()

    error = await refusal(loopback.raw(server.port), b"\xff\xff")

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "This is not a ecommerce.product.v1.GetProductRequest."


async def test_a_garbled_reply_is_internal(loopback: Loopback) -> None:
    """A reply that cannot be read is an InternalError for the caller."""

    async def behave(_: bytes, __: Any) -> bytes:
        return b"\xff\xff"

    port = await loopback.foreign(behave)

    with pytest.raises(InternalError):
        await loopback.stub(port).get_product(Request())


async def test_a_request_that_does_not_fit_is_not_sent(loopback: Loopback) -> None:
    """A value that its field cannot hold is the caller's mistake, named, and nothing is sent."""
    stub = loopback.stub(1)  # nobody listens there

    with pytest.raises(InvalidError, match=r"^price\.minor_units does not fit its type\.$"):
        await stub.post_product(product_v1.PostProductRequest(price=Money(minor_units=2**70)))


async def test_a_reply_that_does_not_fit_is_internal(loopback: Loopback) -> None:
    """A reply with a value that its field cannot hold is the server's fault."""

    async def misanswer(_: Request) -> Response:
        return Response(product=Product(version=2**70))

    server = await loopback.serve(misanswer)

    with pytest.raises(InternalError):
        await loopback.stub(server.port).get_product(Request())
