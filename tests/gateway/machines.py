"""Machines of the teams surface, who sign their requests as existing clients do."""

from __future__ import annotations

import json
import secrets
import time

from shared.secret import encode_base64url
from shared.tokens import SigningKey


class Machine:
    """A key pair, which is all that a machine needs to be somebody.

    Args:
        seed: of 32 bytes; a fresh one if absent.
    """

    def __init__(self, seed: bytes | None = None) -> None:
        self.key = SigningKey(seed or secrets.token_bytes(32))
        self.token = "trc_ak_" + encode_base64url(self.key.verify_key.public)

    def sign(self, message: bytes) -> str:
        """Give the signature's text."""
        return encode_base64url(self.key.sign(message))

    def headers(
        self, method: str, target: str, body: bytes = b"", at: float | None = None
    ) -> dict[str, str]:
        """Give the headers that sign a request, made ``at`` a time in Unix seconds."""
        timestamp = str(int(time.time() if at is None else at))
        covered = f"{method} {target}".encode()
        if method in ("POST", "PATCH", "PUT"):
            covered = body or b"{}"
        return {
            "x-trc-timestamp": timestamp,
            "x-trc-signature": self.sign(timestamp.encode() + b"." + covered),
            "x-trc-token": self.token,
            "x-teamrc-version": "1",
        }

    def ticket(self, at: float | None = None) -> str:
        """Give a ticket for a socket, made ``at`` a time in Unix seconds."""
        covered = f"{int(time.time() if at is None else at)}.{self.token}"
        return f"{covered}.{self.sign(covered.encode())}"

    def body(self, **fields: object) -> bytes:
        """Write a JSON body that names the machine."""
        return json.dumps({"token": self.token, **fields}).encode()
