"""What pages say of errors."""

from __future__ import annotations

from typing import Final

from shared.errors import Invalid, NotFound, ServiceError, Unavailable

NOTHING: Final = "There is no such page, or it is not for you."
"""Whatever it is that is not there."""

AWAY: Final = "A part of this site does not answer just now. Nothing was changed."


def sentence(error: ServiceError) -> str:
    """Say an error to a person."""
    if isinstance(error, NotFound):
        return NOTHING
    if isinstance(error, Unavailable):
        return AWAY
    if isinstance(error, Invalid) and error.faults:
        return "; ".join(fault.msg for fault in error.faults) + "."
    text = error.message[:1].upper() + error.message[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
