"""Encryption at rest: libsodium's secretstream, a key of its own for each object.

An object is the stream's header and then chunks of 128 KiB, each with 17 bytes more; the last one
is marked. What is cut off, put elsewhere or changed is noticed when it is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from nacl import bindings

EXTRA: Final[int] = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
"""Bytes by which an encrypted chunk is longer."""

HEADER: Final[int] = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
"""Bytes of a stream's header."""

CHUNK: Final = 131_072
"""Bytes that are encrypted at once: well under a millisecond, so that the loop need not wait."""


class Damaged(Exception):
    """What was stored is not what was written, or the key is another."""


def random_key() -> bytes:
    """Make the key of one object."""
    return bytes(bindings.crypto_secretstream_xchacha20poly1305_keygen())


async def sealed(pieces: AsyncIterator[bytes], key: bytes) -> AsyncIterator[bytes]:
    """Encrypt a stream as it passes."""
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    yield bindings.crypto_secretstream_xchacha20poly1305_init_push(state, key)
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        # The last chunk bears a mark, so one that is full waits for what follows.
        while len(buffer) > CHUNK:
            yield _push(state, bytes(buffer[:CHUNK]), is_last=False)
            del buffer[:CHUNK]
    yield _push(state, bytes(buffer), is_last=True)


async def opened(pieces: AsyncIterator[bytes], key: bytes) -> AsyncIterator[bytes]:
    """Decrypt a stream as it passes; no byte is given that was not authenticated.

    Raises:
        Damaged: before the first wrong byte, or at the end if some are missing.
    """
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    is_open = is_whole = False
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        if not is_open and len(buffer) >= HEADER:
            header = bytes(buffer[:HEADER])
            bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key)
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


def _push(
    state: bindings.crypto_secretstream_xchacha20poly1305_state, chunk: bytes, *, is_last: bool
) -> bytes:
    tag = (
        bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
        if is_last
        else bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
    )
    return bindings.crypto_secretstream_xchacha20poly1305_push(state, chunk, None, tag)


def _pull(
    state: bindings.crypto_secretstream_xchacha20poly1305_state, chunk: bytes
) -> tuple[bytes, bool]:
    if len(chunk) < EXTRA:
        raise Damaged("the end is missing")
    try:
        plain, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, chunk, None)
    except RuntimeError:
        raise Damaged("a chunk does not authenticate") from None
    return plain, tag == bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
