"""The four public surfaces and how each of them speaks an error.

One tree of domain errors (``shared.errors``), four pure renderers. Nothing else in the house builds
an error body. Shapes: ``contracts/<surface>.md``, errors sections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic_core import to_json

from shared.errors import (
    BadGateway,
    BadRequest,
    Fault,
    Forbidden,
    GatewayTimeout,
    Internal,
    Invalid,
    RateLimited,
    ServiceError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownPath,
)


class Surface(StrEnum):
    """One of the four public APIs."""

    LEARNINGS = "learnings"
    RUNS = "runs"
    TEAMS = "teams"
    AGENTS = "agents"


# Longest first, because /api/v1 and /api/v0 are not the teams surface's.
_PREFIXES: Final = (
    ("/api/v1", Surface.RUNS),
    ("/api/v0", Surface.AGENTS),
    ("/api", Surface.TEAMS),
    ("/socket", Surface.TEAMS),
    ("/v1", Surface.LEARNINGS),
)


def surface_of(path: str) -> Surface:
    """Name the surface that a path belongs to; what belongs to none speaks as learnings does."""
    for prefix, surface in _PREFIXES:
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
            return surface
    return Surface.LEARNINGS


@dataclass(frozen=True, slots=True)
class Rendered:
    """An error as it goes over the wire; header names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def render(surface: Surface, error: ServiceError, request_id: str = "") -> Rendered:
    """Speak an error in the dialect of a surface.

    Args:
        surface: whose dialect.
        error: what happened.
        request_id: shown where the surface's error body has a place for it.
    """
    status, body = _RENDERERS[surface](error, request_id)
    headers = {"content-type": "application/json", "x-content-type-options": "nosniff"}
    if status == Unauthenticated.status:
        headers["www-authenticate"] = "Bearer"
    return Rendered(status, to_json({**body, **error.extra}), {**headers, **error.headers})


def _learnings(error: ServiceError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Speak as FastAPI does: ``detail`` is a sentence, or the list of faults (section 2.1)."""
    if isinstance(error, Invalid) and error.faults:
        return error.status, {"detail": [_fault(fault) for fault in error.faults]}
    return error.status, {"detail": error.message}


def _fault(fault: Fault) -> dict[str, Any]:
    return {"loc": list(fault.loc), "msg": fault.msg, "type": fault.type}


REUSED: Final = "reused"
"""The fault of an ``Idempotency-Key`` that came with another body before."""


def _runs(error: ServiceError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Speak both styles at once, for typed and for FastAPI-like clients (section 2.1)."""
    word = error.code
    if isinstance(error, Invalid) and any(fault.type == REUSED for fault in error.faults):
        word = "idempotency_conflict"
    inner: dict[str, Any] = {"type": word, "message": error.message}
    if isinstance(error, Invalid) and error.faults:
        inner["details"] = [
            {"path": ".".join(map(str, fault.loc)), "message": fault.msg} for fault in error.faults
        ]
    elif error.details:
        inner["details"] = list(error.details)
    if isinstance(error, Internal) and request_id:
        inner["request_id"] = request_id
    return error.status, {"type": word, "detail": error.message, "error": inner}


_TEAMS_WORDS: Final[dict[type[ServiceError], str]] = {
    RateLimited: "rate limit exceeded",
    Unavailable: "service temporarily unavailable",
    BadGateway: "service temporarily unavailable",
    GatewayTimeout: "service temporarily unavailable",
    TooLarge: "request body too large",
}


def _teams(error: ServiceError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Keep ``error`` a string always, because the client prints it (sections 1, 2 and 12.4)."""
    if isinstance(error, Unauthenticated) and error.code == Unauthenticated.code:
        # Of a signed request; a web session that is missing has a word of its own (section 8).
        reason = "missing or invalid token" if error.is_default else error.message
        return error.status, {"error": error.code, "reason": reason}
    if isinstance(error, UnknownPath):
        return error.status, {"errors": {"detail": "Not Found"}, "error": error.code}
    if isinstance(error, Invalid):
        # A wrong field is a 400 whose sentence names it: 422 is for what is one too many.
        sentence = "; ".join(_sentence(fault) for fault in error.faults) or error.message
        return BadRequest.status, {"error": sentence}
    word = _TEAMS_WORDS.get(type(error), error.code)
    return error.status, {"error": word if error.is_default else error.message}


def _sentence(fault: Fault) -> str:
    field = ".".join(str(part) for part in fault.loc[1:])
    return f"{field}: {fault.msg}" if field else fault.msg


_AGENTS_CODES: Final = {
    "unauthorized": "UNAUTHORIZED",
    "invalid_json": "BAD_REQUEST",
    "validation_error": "UNPROCESSABLE_ENTITY",
    "too_large": "PAYLOAD_TOO_LARGE",
}
_AGENTS_SENTENCES: Final = 3
"""How many wrong fields the message names; the details have them all."""
_AGENTS_FIXED: Final[dict[type[ServiceError], str]] = {
    Unauthenticated: "Authentication required",
}


def _agents(error: ServiceError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Carry the message twice: in ``error``, and at the top for the web client (section 2.2)."""
    message = _AGENTS_FIXED.get(type(error), error.message)
    if isinstance(error, Forbidden) and error.is_default:
        message = "Insufficient permissions"
    if isinstance(error, Invalid) and error.is_default and error.faults:
        # The web client shows nothing else, so it says what to change.
        sentences = map(_sentence, error.faults[:_AGENTS_SENTENCES])
        message = f"{message}: {'; '.join(sentences)}"
    code = _AGENTS_CODES.get(error.code, error.code.upper())
    inner: dict[str, Any] = {"code": code, "message": message}
    if isinstance(error, Invalid) and error.faults:
        inner["details"] = [_fault(fault) for fault in error.faults]
    return error.status, {"error": inner, "message": message}


_RENDERERS: Final[Mapping[Surface, Callable[[ServiceError, str], tuple[int, dict[str, Any]]]]] = {
    Surface.LEARNINGS: _learnings,
    Surface.RUNS: _runs,
    Surface.TEAMS: _teams,
    Surface.AGENTS: _agents,
}
