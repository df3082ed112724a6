"""HTTP door of the signing keys."""

from __future__ import annotations

from typing import Final

from services.auth.signing_keys.models import JwkSet
from services.auth.signing_keys.operations import KeyRing
from shared.api import Call, Empty, Operation, Reply

CACHE: Final = "public, max-age=10"
"""Shorter than a new key waits before it signs."""


async def published(call: Call[Empty, Empty]) -> Reply:
    """``GET /.well-known/jwks.json``."""
    key_set = JwkSet.model_validate(call.resource(KeyRing).published())
    return Reply(key_set, headers={"cache-control": CACHE})


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/.well-known/jwks.json",
        endpoint=published,
        summary="The public keys that verify access tokens",
        answer=JwkSet,
        public=True,
        tag="Auth",
    ),
)
