"""The key set on the wire."""

from __future__ import annotations

from shared.api import Answer


class Jwk(Answer):
    """One public Ed25519 key (RFC 8037, section 2)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class JwkSet(Answer):
    """The keys that verify access tokens (RFC 7517, section 5)."""

    keys: list[Jwk]
