"""Encryption at rest: libsodium's secretstream, a key of its own for each object.

An object is the stream's header and then chunks of 128 KiB, each with 17 bytes more; the last one
is marked. What is cut off, put elsewhere or changed is noticed when it is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_ABYTES as EXTRA,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_HEADERBYTES as HEADER,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_init_pull as init_pull,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_init_push as init_push,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_keygen as keygen,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_pull as pull,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_push as push,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_state as new_state,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_TAG_FINAL as FINAL,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE as MESSAGE,
)

CHUNK: Final = 131_072
"""Bytes that are encrypted at once: well under a millisecond, so that the loop need not wait."""


class Damaged(Exception):
    """What was stored is not what was written, or the key is another."""


def random_key() -> bytes:
    """Make the key of one object."""
    return bytes(keygen())


async def sealed(pieces: AsyncIterator[bytes], key: bytes) -> AsyncIterator[bytes]:
    """Encrypt a stream as it passes."""
    state = new_state()
    yield init_push(state, key)
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        # The last chunk bears a mark, so one that is full waits for what follows.
        while len(buffer) > CHUNK:
            yield push(state, bytes(buffer[:CHUNK]), None, MESSAGE)
            del buffer[:CHUNK]
    yield push(state, bytes(buffer), None, FINAL)


async def opened(pieces: AsyncIterator[bytes], key: bytes) -> AsyncIterator[bytes]:
    """Decrypt a stream as it passes; no byte is given that was not authenticated.

    Raises:
        Damaged: before the first wrong byte, or at the end if some are missing.
    """
    state, is_open, is_whole = new_state(), False, False
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        if not is_open and len(buffer) >= HEADER:
            init_pull(state, bytes(buffer[:HEADER]), key)
            del buffer[:HEADER]
            is_open = True
        while is_open and len(buffer) > CHUNK + EXTRA:
            plain, is_whole = _pull(state, bytes(buffer[: CHUNK + EXTRA]))
            if is_whole:
                raise Damaged("something stands behind the end")
            yield plain
            del buffer[: CHUNK + EXTRA]
    if not is_open:
        raise Damaged("there is no beginning")
    plain, is_whole = _pull(state, bytes(buffer))
    if not is_whole:
        raise Damaged("the end is missing")
    yield plain


def _pull(state: new_state, chunk: bytes) -> tuple[bytes, bool]:
    if len(chunk) < EXTRA:
        raise Damaged("the end is missing")
    try:
        plain, tag = pull(state, chunk, None)
    except RuntimeError:
        raise Damaged("a chunk does not authenticate") from None
    return plain, tag == FINAL
