"""What a comparison means, and how baselines are shown."""

from __future__ import annotations

from base64 import b64decode
from typing import Final
from urllib.parse import quote

from services.runs.checks.models import Baseline, Outcome, Stored
from services.runs.engine.probes.pictures import LARGEST, Compared
from shared.errors import Invalid, TooLarge

HOME: Final = "/api/v1/checks/screenshot"
SEEDED: Final = "There was no baseline; this picture is it from now on."

_BODY: Final = ("body", "image_b64")


def refusal(reason: str, *, is_too_large: bool = False) -> Invalid | TooLarge:
    """Give the error about a picture that is none, or one too large."""
    if is_too_large:
        return TooLarge(f"The picture {reason}")
    return Invalid.field(*_BODY, msg=reason)


def read_base64(text: str) -> bytes:
    """Read base64, perhaps behind ``data:image/png;base64,``.

    Raises:
        Invalid: it is none.
        TooLarge: it is more than a picture may have.
    """
    if text.startswith("data:image/png;base64,"):
        text = text.partition(",")[2]
    if len(text) > LARGEST * 4 // 3 + 100_000:
        raise refusal(f"has more than {LARGEST} bytes", is_too_large=True)
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise refusal("must be base64") from None


def outcome_of(
    compared: Compared, tolerance: float, old: tuple[int, int], new: tuple[int, int]
) -> Outcome:
    """Say what a comparison means: other dimensions always fail."""
    if old != new:
        observed = f"The picture is {new[0]}x{new[1]}, its baseline {old[0]}x{old[1]}."
        return Outcome("failed", observed, compared.difference)
    observed = (
        f"{compared.pixels} of {new[0] * new[1]} pixels differ ({compared.share:.4%}); "
        f"{tolerance:.4%} may."
    )
    if compared.share > tolerance:
        return Outcome("failed", observed, compared.difference)
    return Outcome("passed", observed)


def path_of(name: str, picture: str) -> str:
    """Give the path of one of a baseline's pictures: ``baseline``, ``latest`` or ``diff``."""
    return f"{HOME}/{quote(name, safe='')}/{picture}"


def shown(stored: Stored) -> Baseline:
    """Show a baseline."""
    return Baseline(
        name=stored.name,
        width=stored.width,
        height=stored.height,
        status=stored.status,
        observed=stored.observed,
        created_at=stored.created_at,
        approved_at=stored.approved_at,
        approved_by=stored.approved_by,
        compared_at=stored.compared_at,
        picture_path=path_of(stored.name, "baseline"),
        latest_path=path_of(stored.name, "latest"),
        diff_path=None if stored.difference is None else path_of(stored.name, "diff"),
    )
