"""Writing a request's head for a service: the caller's lines, and what only the gateway may say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from gateway.pipeline import trace_context
from gateway.websocket.handshake import without_extensions
from shared.principal import ASSERTION_HEADER, CLIENT_HEADER, sign_assertion

if TYPE_CHECKING:
    from gateway.credentials.memory import Credential
    from gateway.pipeline.decisions import Request

ASSERTION_REUSE: Final = 10.0
"""Seconds that a signed assertion is used again for the same credential and upstream."""

_REQUEST_ID: Final = b"\r\nx-request-id: "
_AUTHORIZATION: Final = b"\r\nauthorization: "
_CLIENT: Final = f"\r\n{CLIENT_HEADER}: ".encode()
_ASSERTION: Final = f"\r\n{ASSERTION_HEADER}: ".encode()


class UpstreamHeads:
    """Writes the heads of requests.

    Args:
        keys: assertion keys by service.
        hosts: what the services are called where a request names no host.
        wall: Unix seconds.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes],
        hosts: Mapping[str, bytes],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._keys = dict(keys)
        self._hosts = {name: b"\r\nhost: " + host for name, host in hosts.items()}
        self._wall = wall

    def write(self, request: Request, upstream: str, credential: Credential) -> bytes:
        """Write everything up to but without the framing headers and the blank line."""
        fields = request.fields
        lines = fields.lines
        if request.offer is not None:
            lines = without_extensions(lines)
        row = request.destination.row
        if row is not None and row.passes_authorization:
            lines += b"".join(_AUTHORIZATION + value for value in fields.authorization)
        span = request.span
        trace = (fields.trace or trace_context.begun()) if span is None else span.lines
        kept = credential.assertions.get(upstream)
        if kept is None or request.now >= kept[1]:
            kept = self._assert(credential, upstream, request.now)
        return b"".join(
            (
                request.destination.start,
                fields.host or self._hosts[upstream],
                lines,
                _REQUEST_ID,
                request.request_id,
                trace,
                _CLIENT,
                request.client.encode("ascii", "replace"),
                kept[0],
            )
        )

    def _assert(self, credential: Credential, upstream: str, now: float) -> tuple[bytes, float]:
        key = self._keys[upstream]
        signed = sign_assertion(key, upstream, credential.principal, self._wall()).encode()
        kept = credential.assertions[upstream] = (_ASSERTION + signed, now + ASSERTION_REUSE)
        return kept
