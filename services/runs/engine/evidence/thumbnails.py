"""Screenshots made small enough to stand inside a page."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, UnidentifiedImageError

WIDTH: Final = 880
"""Pixels of a thumbnail at most, so that it is sharp on a display of twice the density."""

TALLEST: Final = 2_400
"""Pixels; of a longer picture the upper part is shown."""

MOST_PIXELS: Final = 40_000_000
"""Of a picture that is looked at."""

_QUALITY: Final = 74


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as an address that holds it; width and height in pixels."""

    uri: str
    width: int
    height: int


def thumbnail(content: bytes) -> Thumbnail | None:
    """Make a screenshot small; None where it is no picture, or too large. Takes some 30 ms."""
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            scale = min(1.0, WIDTH / picture.width)
            upper = picture.crop((0, 0, picture.width, min(picture.height, int(TALLEST / scale))))
            # A picture of few colours, or one that can be seen through, is laid on white.
            whole = upper.convert("RGBA")
            plain = Image.new("RGB", whole.size, "white")
            plain.paste(whole, mask=whole)
            size = (max(1, round(plain.width * scale)), max(1, round(plain.height * scale)))
            small = plain.resize(size, Image.Resampling.LANCZOS)
            written = BytesIO()
            small.save(written, "WEBP", quality=_QUALITY, method=4)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    uri = f"data:image/webp;base64,{b64encode(written.getvalue()).decode()}"
    return Thumbnail(uri, small.width, small.height)
