"""The program that unpacks and compares pictures; ``pictures`` starts it and bounds its time.

On standard input: how many pictures, their lengths, the pictures. On standard output: a line of
JSON, then the picture of the difference. It leaves with 3 where the first picture cannot be
unpacked. Nothing of the house is imported: it starts quickly and holds nothing worth having.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
from contextlib import suppress
from typing import Final

from PIL import Image, ImageChops

MEMORY: Final = 2 * 2**30
"""Bytes: two pictures of 40 million pixels, and what comes of them."""

SECONDS: Final = 30
MOST_PIXELS: Final = 40_000_000

_RED: Final = (230, 0, 38)
_WHITE: Final = (255, 255, 255)
_FADED: Final = 0.7


def main() -> int:
    """Read, compare, write; give the exit status."""
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS)):
        with suppress(OSError, ValueError):  # not every system has both
            resource.setrlimit(what, (most, most))
    Image.MAX_IMAGE_PIXELS = None  # its size was read before
    given = sys.stdin.buffer
    number = given.read(1)[0]
    sizes = struct.unpack(f">{number}I", given.read(4 * number))
    packed = [given.read(size) for size in sizes]
    try:
        picture = _unpacked(packed[0])
    except (OSError, SyntaxError, ValueError, struct.error):
        return 3
    said, difference = {"share": 0.0, "pixels": 0}, b""
    if number == 2:
        said, difference = _compare(_unpacked(packed[1]), picture)
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + difference)
    sys.stdout.buffer.flush()
    return 0


def _unpacked(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        image.load()
        if image.mode.startswith("I"):
            # 16 bits of grey, of which converting would cut off all but the darkest.
            return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGBA")
        return image.convert("RGBA")


def _compare(baseline: Image.Image, picture: Image.Image) -> tuple[dict[str, float], bytes]:
    width = max(baseline.width, picture.width)
    height = max(baseline.height, picture.height)
    shared = (min(baseline.width, picture.width), min(baseline.height, picture.height))
    box = (0, 0, *shared)
    differs = _differing(baseline.crop(box), picture.crop(box))
    inside = differs.histogram()[255]
    pixels = inside + width * height - shared[0] * shared[1]
    said = {"share": pixels / (width * height), "pixels": pixels}
    if not pixels or width * height > MOST_PIXELS:
        return said, b""
    drawn = Image.new("RGB", (width, height), _RED)
    # What is seen through transparency is white, as on most pages.
    seen = Image.new("RGB", shared, _WHITE)
    seen.paste(picture.crop(box), mask=picture.crop(box).getchannel("A"))
    seen = Image.blend(seen.convert("L").convert("RGB"), Image.new("RGB", shared, _WHITE), _FADED)
    seen.paste(_RED, mask=differs)
    drawn.paste(seen)
    written = io.BytesIO()
    drawn.save(written, "PNG", compress_level=3)
    return said, written.getvalue()


def _differing(one: Image.Image, other: Image.Image) -> Image.Image:
    """Give 255 where any channel differs, else 0."""
    found = Image.new("L", one.size)
    for mine, theirs in zip(one.split(), other.split(), strict=True):
        found = ImageChops.lighter(found, ImageChops.difference(mine, theirs))
    return found.point([0] + [255] * 255)


if __name__ == "__main__":
    sys.exit(main())
