"""What pages say of errors."""

from __future__ import annotations

from typing import Final

from shared.errors import Invalid, ServiceError

_SENTENCES: Final = {
    "not_found": "There is no such page, or it is not for you.",
}


def sentence(error: ServiceError) -> str:
    """Say an error to a person."""
    if isinstance(error, Invalid) and error.faults:
        return "; ".join(fault.msg for fault in error.faults) + "."
    text = _SENTENCES.get(error.message, error.message)
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
