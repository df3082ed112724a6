"""Pictures: read with care, compared pixel by pixel, in a process of its own."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image

from services.runs.engine.probes.pictures import (
    LARGEST,
    Comparer,
    NotAPicture,
    Size,
    read_size,
)
from tests.services.runs.engine.pictures_support import chunk, claiming, dotted, png, written


def opened(content: bytes | None) -> Image.Image:
    assert content is not None
    return Image.open(io.BytesIO(content)).convert("RGB")


async def test_equal_pictures_do_not_differ() -> None:
    compared = await Comparer().compare(png(), png(mode="RGBA"))
    assert (compared.share, compared.pixels, compared.difference) == (0, 0, None)


async def test_what_differs_is_counted_and_drawn_red() -> None:
    compared = await Comparer().compare(png(), dotted(5))
    assert (compared.share, compared.pixels) == (5 / 200, 5)
    drawn = opened(compared.difference)
    assert drawn.getpixel((4, 0)) == (230, 0, 38)
    assert drawn.getpixel((5, 0)) == (255, 255, 255)


async def test_what_only_one_picture_has_differs() -> None:
    compared = await Comparer().compare(png(20, 10), png(10, 20))
    assert (compared.share, compared.pixels) == (300 / 400, 300)
    assert opened(compared.difference).size == (20, 20)


async def test_transparency_counts() -> None:
    one = written(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))
    other = written(Image.new("RGBA", (4, 4), (0, 0, 0, 255)))
    assert (await Comparer().compare(one, other)).pixels == 16


async def test_grey_of_16_bits_is_told_apart() -> None:
    one, other = (
        written(Image.frombytes("I;16", (2, 1), value.to_bytes(2, "little") * 2))
        for value in (20_000, 60_000)
    )
    assert (await Comparer().compare(one, other)).pixels == 2


async def test_two_sizes_too_large_together_are_not_drawn() -> None:
    compared = await Comparer().compare(png(30_000, 1), png(1, 30_000))
    assert compared.difference is None
    assert compared.share == pytest.approx(1, abs=0.001)


def test_the_size_is_read_before_anything_is_unpacked() -> None:
    assert read_size(png(7, 3)) == Size(7, 3)
    with pytest.raises(NotAPicture) as raised:
        read_size(claiming(100_000, 100_000))
    assert raised.value.is_too_large
    with pytest.raises(NotAPicture) as raised:
        read_size(png() + b"\x00" * LARGEST)
    assert raised.value.is_too_large


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + b"\x00" * 60,
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 60,
        claiming(0, 10),
    ],
)
def test_what_is_no_png_is_told_by_its_head(content: bytes) -> None:
    with pytest.raises(NotAPicture) as raised:
        read_size(content)
    assert not raised.value.is_too_large


@pytest.mark.parametrize(
    "content",
    [
        claiming(100, 100, b"short"),
        png()[:-30],
        png()[:33] + chunk(b"IDAT", b"no zlib") + chunk(b"IEND", b""),
        png()[:33],
    ],
)
async def test_what_cannot_be_unpacked_is_refused(content: bytes) -> None:
    with pytest.raises(NotAPicture):
        await Comparer().check(content)


async def test_a_large_picture_is_compared_while_the_loop_goes_on() -> None:
    # Of one color, so that 10 million pixels are few bytes.
    one, other = png(4000, 2500, "white"), png(4000, 2500, "blue")
    comparing = asyncio.create_task(Comparer().compare(one, other))
    turns = 0
    while not comparing.done():
        await asyncio.sleep(0)
        turns += 1
    compared = await comparing
    assert compared.pixels == 10_000_000
    assert compared.difference is not None
    assert len(compared.difference) < 1_000_000
    assert turns > 100
