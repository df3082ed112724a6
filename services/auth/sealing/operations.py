"""Encryption at rest of what must be read back: XSalsa20-Poly1305, a fresh nonce each time."""

from __future__ import annotations

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox


class Vault:
    """Seals and opens small secrets under the service's encryption key.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._box = SecretBox(key)

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
