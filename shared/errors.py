"""The domain errors, one tree for all surfaces.

Operations raise these; the renderers of ``shared.surfaces`` turn them into what a client sees.

    ServiceError
    ├── BadRequest ............ 400  the request cannot be understood
    ├── Unauthenticated ....... 401  no credential, or one that does not hold
    ├── Forbidden ............. 403  the caller is known and may not
    ├── NotFound .............. 404  nothing there, or another tenant's
    │   └── UnknownPath ....... 404  no operation has this address
    ├── MethodNotAllowed ...... 405  the path exists, the method does not
    ├── NotAcceptable ......... 406  no representation the caller accepts
    ├── Conflict .............. 409  the state of the resource forbids it
    ├── Gone .................. 410  it was there and has expired
    ├── PreconditionFailed .... 412  If-Match and the like
    ├── TooLarge .............. 413  body over the limit
    ├── UnsupportedMediaType .. 415  the body is not of a type the operation reads
    ├── RangeNotSatisfiable ... 416  the range asked for begins behind the end
    ├── Invalid ............... 422  understood, but one or more fields are wrong
    ├── LimitExceeded ......... 422  understood, but it would be one more than may be
    ├── UpgradeRequired ....... 426  the client is too old
    ├── RateLimited ........... 429  too many requests
    ├── Internal .............. 500  our fault; the cause goes to the log only
    ├── BadGateway ............ 502  an upstream answered nonsense
    ├── Unavailable ........... 503  a needed part is down; try again
    └── GatewayTimeout ........ 504  an upstream did not answer in time
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request.

    ``loc`` starts with ``body``, ``query``, ``path`` or ``header`` and walks to the field, list
    elements by index; ``type`` is a machine word such as ``missing`` or ``string_too_long``.
    """

    loc: tuple[str | int, ...]
    msg: str
    type: str = "value_error"


class ServiceError(Exception):
    """Something a caller is told. ``message`` is for people; the rest is for machines.

    Args:
        message: replaces the class's own sentence.
        code: replaces the class's machine word.
        extra: top-level fields that one surface's contract wants beside the message.
        headers: response headers, names in lower case.
        details: what is wrong one by one, where the surface's error body has a place for it.
    """

    status: ClassVar[int] = 500
    code: str = "internal_error"
    message: str = "Internal server error"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.is_default = message is None
        if message is not None:
            self.message = message
        if code is not None:
            self.code = code
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        self.details = tuple(details)
        super().__init__(self.message)


class BadRequest(ServiceError):
    """The request cannot be understood."""

    status = 400
    code = "bad_request"
    message = "Bad request"


class Unauthenticated(ServiceError):
    """No credential, or one that does not hold."""

    status = 401
    code = "unauthorized"
    message = "Invalid or expired token"


class Forbidden(ServiceError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"
    message = "Forbidden"


class NotFound(ServiceError):
    """Nothing there, or it belongs to another tenant."""

    status = 404
    code = "not_found"
    message = "Not Found"


class UnknownPath(NotFound):
    """No operation has this address."""


class MethodNotAllowed(ServiceError):
    """The path exists, the method does not; ``allow`` lists the methods that do."""

    status = 405
    code = "method_not_allowed"
    message = "Method Not Allowed"

    def __init__(self, allow: str = "", message: str | None = None) -> None:
        super().__init__(message, headers={"allow": allow} if allow else None)


class NotAcceptable(ServiceError):
    """No representation that the caller accepts."""

    status = 406
    code = "not_acceptable"
    message = "Not Acceptable"


class Conflict(ServiceError):
    """The state of the resource forbids it."""

    status = 409
    code = "conflict"
    message = "Conflict"


class Gone(ServiceError):
    """It was there and has expired."""

    status = 410
    code = "gone"
    message = "Gone"


class PreconditionFailed(ServiceError):
    """A condition the caller set, such as If-Match, does not hold."""

    status = 412
    code = "precondition_failed"
    message = "Precondition failed"


class TooLarge(ServiceError):
    """The body is over the limit."""

    status = 413
    code = "too_large"
    message = "Request body too large"


class UnsupportedMediaType(ServiceError):
    """The body is not of a type that the operation reads."""

    status = 415
    code = "unsupported_media_type"
    message = "Content-Type must be application/json"


class RangeNotSatisfiable(ServiceError):
    """The range asked for begins behind the end; ``size`` says where that is."""

    status = 416
    code = "range_not_satisfiable"
    message = "Range not satisfiable"

    def __init__(self, size: int | None = None, message: str | None = None) -> None:
        headers = {} if size is None else {"content-range": f"bytes */{size}"}
        super().__init__(message, headers=headers)


class Invalid(ServiceError):
    """Understood, but one or more fields are wrong; ``faults`` lists all of them."""

    status = 422
    code = "validation_error"
    message = "Validation failed"

    def __init__(self, faults: Sequence[Fault], message: str | None = None) -> None:
        self.faults = tuple(faults)
        super().__init__(message)

    @classmethod
    def field(cls, *loc: str | int, msg: str, type: str = "value_error") -> Invalid:
        """Make an error about a single field, ``Invalid.field("body", "email", msg=…)``."""
        return cls([Fault(loc, msg, type)])


class LimitExceeded(ServiceError):
    """Understood, and no field is wrong, but it would be one more than may be."""

    status = 422
    code = "limit_exceeded"
    message = "Limit exceeded"


class UpgradeRequired(ServiceError):
    """The client is too old to be served."""

    status = 426
    code = "upgrade_required"
    message = "Upgrade required"


class RateLimited(ServiceError):
    """Too many requests; ``retry_after`` is the true number of whole seconds to wait."""

    status = 429
    code = "rate_limited"

    def __init__(self, retry_after: int, message: str | None = None) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(message, headers={"retry-after": str(self.retry_after)})
        if message is None:
            self.message = f"Rate limit exceeded. Retry after {self.retry_after} seconds."


class HeadTooLarge(ServiceError):
    """A request's head is over the gateway's limit."""

    status = 431
    code = "head_too_large"
    message = "The request's head is too large"


class Internal(ServiceError):
    """Our fault. The cause goes to the log, never to the client."""

    status = 500
    code = "internal_error"
    message = "Internal server error"


class BadGateway(ServiceError):
    """An upstream closed early or answered what is not HTTP."""

    status = 502
    code = "bad_gateway"
    message = "Bad gateway"


class Unavailable(ServiceError):
    """A needed part is down for now; ``retry_after`` says when to try again, in seconds."""

    status = 503
    code = "unavailable"
    message = "Service temporarily unavailable"

    def __init__(self, message: str | None = None, *, retry_after: int = 5) -> None:
        self.retry_after = retry_after
        super().__init__(message, headers={"retry-after": str(retry_after)})


class GatewayTimeout(ServiceError):
    """An upstream did not answer in time."""

    status = 504
    code = "gateway_timeout"
    message = "Gateway timeout"


def error_classes() -> Iterator[type[ServiceError]]:
    """Yield every concrete error class, in the order of the drawing."""
    for kind in ServiceError.__subclasses__():
        yield kind
        yield from kind.__subclasses__()


def from_status(status: int, message: str | None = None, *, allow: str = "") -> ServiceError:
    """Map a status that a framework raised to our tree. Total: every status finds a class.

    A status without a class of its own takes the general one of its hundred, so that it can never
    come out labelled as something it is not.
    """
    if status == NotFound.status:
        return UnknownPath(message)
    if status == MethodNotAllowed.status:
        return MethodNotAllowed(allow, message)
    if status == RateLimited.status:
        return RateLimited(1, message)
    if status == Invalid.status:
        return Invalid([], message)
    if status == RangeNotSatisfiable.status:
        return RangeNotSatisfiable(None, message)
    for kind in error_classes():
        if kind.status == status:
            return kind(message)
    return BadRequest(message) if 400 <= status < 500 else Internal()
