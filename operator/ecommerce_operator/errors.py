"""The operator's errors, by what is to be done about them.

OperatorError
├── UnreachableError      the API server does not answer, or is too busy: try the whole pass again later
├── RefusedError          it answered no: tell the person, go on with everything else
│   ├── NotFoundError
│   ├── ConflictError     somebody was faster: look again
│   ├── GoneError         a watch or list must start anew
│   └── TerminatingError  the namespace is being deleted: make nothing in it
└── RenderError           a chart does not take these values, or renders what it must not: tell the person
"""


class OperatorError(Exception):
    """The root; its text is a sentence for a person and holds no secret."""


class UnreachableError(OperatorError):
    """The API server does not answer now."""


class RefusedError(OperatorError):
    """The API server refused a request; `reason` is its own word for it."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason or "Refused"


class NotFoundError(RefusedError):
    """There is no such object, or the API does not know the kind."""


class ConflictError(RefusedError):
    """The object exists already or was changed in between."""


class GoneError(RefusedError):
    """What was asked to go on from is too old."""


class TerminatingError(RefusedError):
    """The namespace is being deleted."""


class RenderError(OperatorError):
    """A chart cannot be rendered as asked; `reason` is CamelCase."""

    def __init__(self, message: str, reason: str = "ChartRefused") -> None:
        super().__init__(message)
        self.reason = reason
