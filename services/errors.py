"""The errors that a caller can act on.

    EcommerceError
    ├── InvalidError          change the request; the message says what is wrong with it
    ├── UnauthenticatedError  sign in (again)
    ├── ForbiddenError        ask as someone else: who you are is known and not enough
    ├── NotFoundError         ask for something that exists
    ├── ConflictError         read the current state, then decide again
    ├── RateLimitedError      wait, then repeat
    ├── UnavailableError      repeat later: something that is needed does not answer
    └── InternalError         report it: nothing the caller does will help

Each message is a sentence for the person who caused it and may be shown to anyone. Everything else that is raised is
a fault of ours: the edges turn it into InternalError without its detail and log it. The codes are those of the GraphQL
contract; rpc.py maps them to gRPC statuses and back.
"""

from typing import ClassVar


class EcommerceError(Exception):
    """What every error here is; `code` is stable and part of the contract."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidError(EcommerceError):
    """The request itself is wrong; repeating it unchanged fails again."""

    code = "INVALID"


class UnauthenticatedError(EcommerceError):
    """No one is signed in, or the token is not accepted (any more)."""

    code = "UNAUTHENTICATED"


class ForbiddenError(EcommerceError):
    """The caller is known and may not do this."""

    code = "FORBIDDEN"


class NotFoundError(EcommerceError):
    """What was asked for does not exist."""

    code = "NOT_FOUND"


class ConflictError(EcommerceError):
    """The state is not (or no longer) one in which this can be done."""

    code = "CONFLICT"


class RateLimitedError(EcommerceError):
    """Too much at once; the same request may pass later."""

    code = "RATE_LIMITED"


class UnavailableError(EcommerceError):
    """Something that is needed does not answer now; the same request may pass later."""

    code = "UNAVAILABLE"


class InternalError(EcommerceError):
    """A fault of the platform; its detail is in the log, not here."""

    code = "INTERNAL"
