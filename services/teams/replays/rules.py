"""What is kept of a signature and of its answer.

The table holds the digest of a signature, and answers sealed under a key that the signature itself
gives: an answer may hold an invitation, and only whoever sends the request again can read it.
"""

from __future__ import annotations

import hashlib

from services.teams.replays.models import Signed
from shared.secret import derive
from shared.vault import Vault


def mark(signed: Signed) -> bytes:
    """Give the digest by which a signature is known again, 32 bytes."""
    return hashlib.sha256(signed.signature).digest()


def seal(signed: Signed, body: bytes) -> bytes:
    """Seal an answer for whoever sends the request again; what is empty stays so."""
    return _vault(signed).seal(body) if body else b""


def unseal(signed: Signed, sealed: bytes) -> bytes:
    """Read an answer that was sealed for this request."""
    return _vault(signed).open(sealed) if sealed else b""


def _vault(signed: Signed) -> Vault:
    return Vault(derive(signed.signature, "replay"))
