"""How claim secrets are made and stored (teams contract, section 4.3).

A secret is found by a digest of its beginning, so that one slow check suffices however many teams
nobody owns. The beginning alone opens nothing: 96 of the 144 random bits are left to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from services.teams.claims.models import NewSecret
from shared.errors import BadRequest
from shared.secret import encode_base64url

PREFIX: Final = "trc_ocs_"
RANDOM_BYTES: Final = 18
LOOKED_UP: Final = 8
"""Characters after the prefix that the digest to find it by covers."""

LONGEST: Final = 128

_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1)
"""Light as such hashes go, because what it hides is random: ten milliseconds of a core."""

_NOBODYS: Final = _HASHER.hash(secrets.token_hex())


def mint() -> NewSecret:
    """Make a secret. Blocks for milliseconds: call it in a thread."""
    text = PREFIX + encode_base64url(secrets.token_bytes(RANDOM_BYTES))
    return NewSecret(text, lookup(text), _HASHER.hash(text))


def read_secret(body: Mapping[str, Any]) -> str:
    """Read ``claim_secret``; what is no text is no team's secret.

    Raises:
        BadRequest: there is none.
    """
    if "claim_secret" not in body:
        raise BadRequest("claim_secret is required")
    secret = body["claim_secret"]
    return secret if isinstance(secret, str) else ""


def lookup(text: str) -> bytes:
    """Give the digest by which a secret is found."""
    beginning = text[: len(PREFIX) + LOOKED_UP]
    return hashlib.sha256(b"claim:" + beginning.encode(errors="replace")).digest()


def holds(hash_: str | None, text: str) -> bool:
    """Check a secret; without a hash it takes as long. Blocks: call it in a thread."""
    try:
        _HASHER.verify(hash_ or _NOBODYS, text[:LONGEST].encode(errors="replace"))
    except (Argon2Error, InvalidHashError):
        return False
    return hash_ is not None
