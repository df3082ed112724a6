"""What pages say of errors."""

from __future__ import annotations

from typing import Final

from shared.errors import Invalid, RateLimited, ServiceError

_LABELS: Final = {
    "email": "Email address",
    "password": "Password",
    "new_password": "New password",
    "current_password": "Current password",
    "name": "Name",
    "machine_name": "Name of the machine",
    "code": "Code",
}


def sentence(error: ServiceError) -> str:
    """Say an error to a person."""
    if isinstance(error, RateLimited):
        minutes, seconds = divmod(error.retry_after, 60)
        wait = f"{minutes + 1} minutes" if minutes else f"{seconds} seconds"
        return f"Too many tries. Wait {wait}, then try again."
    if isinstance(error, Invalid) and error.faults:
        return "; ".join(_fault(fault.loc, fault.msg) for fault in error.faults) + "."
    return error.message if error.message.endswith((".", "?", "!")) else f"{error.message}."


def _fault(loc: tuple[str | int, ...], message: str) -> str:
    label = _LABELS.get(str(loc[-1])) if loc else None
    text = message.removeprefix("Value error, ")
    return f"{label}: {text}" if label else text
