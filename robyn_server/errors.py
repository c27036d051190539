"""What can go wrong, in the words of the domain. `web/errors.py` is the only table from here to HTTP."""

from collections.abc import Mapping


class DomainError(Exception):
    """Base of every error a caller may see; its text is meant for the caller."""

    default = "Error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.default)

    @property
    def message(self) -> str:
        """The sentence for the caller."""
        return str(self.args[0])


class InvalidRequest(DomainError):
    """The request makes no sense as it stands (HTTP 400)."""

    default = "Bad Request"


class Unprocessable(DomainError):
    """The request is well formed but one of its values is not allowed (HTTP 422)."""

    default = "Unprocessable Entity"


class Unauthenticated(DomainError):
    """Nobody is known to be calling (HTTP 401)."""

    default = "Unauthorized"


class Forbidden(DomainError):
    """The caller is known and may not do this (HTTP 403)."""

    default = "Forbidden"


class NotFound(DomainError):
    """There is no such thing for this caller; foreign objects look the same (HTTP 404)."""

    default = "Not Found"


class Conflict(DomainError):
    """The present state does not allow it (HTTP 409)."""

    default = "Conflict"


class TooLarge(DomainError):
    """The body is over the limit (HTTP 413)."""

    default = "Request body too large"


class TooMany(DomainError):
    """A limit on how many is reached; later may work (HTTP 429)."""

    default = "Too Many Requests"


class NotSupported(DomainError):
    """This server, as configured, cannot do that (HTTP 501)."""

    default = "Not Implemented"


class Unavailable(DomainError):
    """Not now: draining, overloaded, or the disk is full (HTTP 503)."""

    default = "Service Unavailable"


class Refused(DomainError):
    """No, with a status and headers of its own (HTTP `status`, with `headers`): said by a project's auth handler or
    by the limit of requests."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


class ProjectFailure(DomainError):
    """What a request needs of the project's own code has failed (HTTP 424)."""

    default = "Failed Dependency"


class BadGraph(ProjectFailure):
    """A graph's factory gave something that is no graph."""


class StartupError(Exception):
    """The server cannot start; the text is one sentence that names what to do."""
