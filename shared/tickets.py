"""Signed addresses: what they allow stands in them, and nobody else can write one."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any, Final

from shared.errors import BadRequest
from shared.secret import decode_base64url, derive, encode_base64url

LONGEST: Final = 4096


class Tickets:
    """Writes and reads tickets: a JSON object and its HMAC-SHA256, for one purpose each.

    Args:
        key: the service's encryption key, from which a key for this alone is derived.
        life: seconds for which a ticket holds.
        clock: Unix seconds; replaceable in tests.
    """

    def __init__(self, key: bytes, life: int, clock: Callable[[], float] = time.time) -> None:
        self._key = derive(key, "tickets")
        self._life = life
        self._clock = clock

    def write(self, purpose: str, **claims: str | int) -> str:
        """Write a ticket."""
        body = {"for": purpose, "exp": int(self._clock()) + self._life, **claims}
        payload = json.dumps(body, separators=(",", ":")).encode()
        return f"{encode_base64url(payload)}.{encode_base64url(self._sign(payload))}"

    def read(self, purpose: str, ticket: str) -> dict[str, Any]:
        """Give what a ticket says.

        Raises:
            BadRequest: it is not ours, for something else, or over.
        """
        encoded, _, mac = ticket.partition(".")
        try:
            if len(ticket) > LONGEST:
                raise ValueError
            payload, signature = decode_base64url(encoded), decode_base64url(mac)
        except ValueError:
            raise _refused() from None
        if not hmac.compare_digest(self._sign(payload), signature):
            raise _refused()
        claims: dict[str, Any] = json.loads(payload)
        if claims["for"] != purpose or claims["exp"] <= self._clock():
            raise _refused()
        return claims

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, hashlib.sha256)


def _refused() -> BadRequest:
    return BadRequest("This address is not valid, or has expired")
