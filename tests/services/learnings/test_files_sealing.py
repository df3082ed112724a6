"""Encryption at rest: nothing that was changed is ever read as if it were right."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from services.learnings.files.operations import opened, random_key, sealed
from services.learnings.files.operations.sealing import CHUNK, EXTRA, HEADER, Damaged
from tests.services.learnings.files_support import pieces_of

KEY = random_key()
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7]


async def collect(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def seal(plain: bytes, piece: int = 10_000) -> bytes:
    return await collect(sealed(pieces_of(plain, piece), KEY))


async def unseal(stored: bytes, key: bytes = KEY, piece: int = 33_333) -> bytes:
    return await collect(opened(pieces_of(stored, piece), key))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1_000, CHUNK, CHUNK + EXTRA, 10 * CHUNK])
async def test_it_comes_back_however_it_is_cut(size: int, piece: int) -> None:
    plain = os.urandom(size)
    stored = await seal(plain, piece)
    assert len(stored) == HEADER + size + EXTRA * max(1, -(-size // CHUNK))
    assert await unseal(stored, piece=piece) == plain
    assert plain[:32] not in stored or size < 32


async def test_two_seals_of_the_same_differ() -> None:
    assert await seal(b"same") != await seal(b"same")


@pytest.mark.parametrize("size", SIZES)
async def test_every_cut_is_noticed(size: int) -> None:
    stored = await seal(os.urandom(size))
    chunk = CHUNK + EXTRA
    cuts = {0, 1, HEADER - 1, HEADER, HEADER + 1, HEADER + EXTRA - 1, len(stored) - 1}
    cuts |= {HEADER + chunk, HEADER + 2 * chunk, HEADER + 3 * chunk}
    for cut in sorted(cut for cut in cuts if 0 <= cut < len(stored)):
        with pytest.raises(Damaged):
            await unseal(stored[:cut])


async def test_changed_chunks_are_noticed_before_they_are_given() -> None:
    plain = os.urandom(3 * CHUNK)
    stored = bytearray(await seal(plain))
    stored[HEADER + CHUNK + EXTRA + 5] ^= 1
    given = bytearray()

    async def read() -> None:
        async for piece in opened(pieces_of(bytes(stored)), KEY):
            given.extend(piece)

    with pytest.raises(Damaged):
        await read()
    assert given == plain[:CHUNK]


async def test_reordered_repeated_and_added_chunks_are_noticed() -> None:
    stored = await seal(os.urandom(3 * CHUNK))
    chunk = CHUNK + EXTRA
    header, first, rest = stored[:HEADER], stored[HEADER : HEADER + chunk], stored[HEADER + chunk :]
    for wrong in (
        header + rest[:chunk] + first + rest[chunk:],
        header + first + first + rest,
        header + first + rest[chunk:],
        stored + b"x",
        stored + first,
        os.urandom(HEADER) + stored[HEADER:],
    ):
        with pytest.raises(Damaged):
            await unseal(wrong)


async def test_another_key_opens_nothing() -> None:
    with pytest.raises(Damaged):
        await unseal(await seal(b"secret"), random_key())
