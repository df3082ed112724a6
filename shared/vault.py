"""Encryption at rest of what must be read back: XSalsa20-Poly1305, a fresh nonce each time."""

from __future__ import annotations

import hashlib
import hmac

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from shared.secret import derive


class Vault:
    """Seals and opens small secrets under the service's encryption key.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._box = SecretBox(key)
        self._fingerprint_key = derive(key, "fingerprint")

    def seal(self, secret: bytes) -> bytes:
        """Encrypt; the nonce stands in front of the result."""
        return bytes(self._box.encrypt(secret))

    def open(self, sealed: bytes) -> bytes:
        """Decrypt.

        Raises:
            ValueError: it was sealed under another key, or changed.
        """
        try:
            return self._box.decrypt(sealed)
        except CryptoError:
            raise ValueError("sealed under another key, or changed") from None

    def fingerprint(self, secret: str) -> bytes:
        """Give what is stored of a secret that is short enough to be found by trying all.

        A keyed hash (HMAC-SHA256): the table alone is not enough to try.
        """
        return hmac.digest(self._fingerprint_key, secret.encode(), hashlib.sha256)
