"""Which key signs, and which keys verify.

All keys of the settings are published. The newest signs only once it has been published for a
while, because gateways fetch the set every 10 s and must know a key before its first token comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from services.auth.signing_keys import store
from shared.db import Database
from shared.tokens import SigningKey, VerifyKey, jwks, sign

PUBLISHED_FIRST: Final = 30.0
"""Seconds for which a key is published before it signs."""


class KeyRing:
    """The signing keys of the settings, newest first.

    Args:
        keys: newest first, at least one.
        seen_at: when each was first seen, on the clock.
        clock: seconds that only rise; replaceable in tests.
    """

    def __init__(
        self,
        keys: Sequence[SigningKey],
        seen_at: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = tuple(keys)
        self._seen_at = dict(seen_at)
        self._clock = clock

    def current(self) -> SigningKey:
        """Give the key that signs: the newest that has been published long enough.

        When none has, as soon after the first start, the one that was published first: it is the
        one that gateways are most likely to know.
        """
        enough = self._clock() - PUBLISHED_FIRST
        ripe = (key for key in self._keys if self._seen_at[key.kid] <= enough)
        return next(ripe, min(self._keys, key=lambda key: self._seen_at[key.kid]))

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Sign the claims of an access token with the current key."""
        return sign(claims, self.current())

    def verify_keys(self) -> dict[str, VerifyKey]:
        """Give the public keys by their name."""
        return {key.kid: key.verify_key for key in self._keys}

    def published(self) -> dict[str, Any]:
        """Write the public keys as a JWK set (RFC 7517)."""
        return jwks(key.verify_key for key in self._keys)


async def open_key_ring(
    database: Database, seeds: Sequence[bytes], clock: Callable[[], float] = time.monotonic
) -> KeyRing:
    """Make the key ring of the settings' seeds, noting new keys as first seen now."""
    keys = [SigningKey(seed) for seed in seeds]
    kids = [key.kid for key in keys]
    async with database.transaction() as connection:
        await store.remember(connection, kids)
        ages = await store.ages(connection, kids)
    now = clock()
    return KeyRing(keys, {kid: now - age.total_seconds() for kid, age in ages.items()}, clock)
