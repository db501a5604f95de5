"""What can go wrong on the host, each with a message that says what to do about it.

LocalError
├── ToolMissingError     install the tool it names
├── FetchFailedError     read the package manager's own words; usually the network
├── PortTakenError       end the process it names, or choose another port
├── StartFailedError     read the log lines it carries
└── AlreadyRunningError  use the running platform, or end it first
"""


class LocalError(Exception):
    """The platform cannot run here as asked; the message is for the person at the terminal."""


class ToolMissingError(LocalError):
    """A program or library that must come from the host is not there."""


class FetchFailedError(LocalError):
    """A package manager could not bring an artifact."""


class PortTakenError(LocalError):
    """Something else listens where a process of the platform should."""


class StartFailedError(LocalError):
    """A process ended, or did not answer in time, before it was ready."""


class AlreadyRunningError(LocalError):
    """Another `up` holds this data directory."""
