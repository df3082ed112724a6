"""How both halves of the agents surface write times, names and namespaces (contract, section 2).

Auth serves accounts, roles and bindings, agents serves agents and sessions: to a client they are
one surface.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

UUID_TEXT: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""How ids are written; what does not look so is a name."""


def _written(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Timestamp = Annotated[
    datetime,
    PlainSerializer(_written, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A time as the agents surface writes it: UTC, ``Z``, six digits of a second (section 2)."""

DOTS: Final = frozenset({".", ".."})
"""What a client takes out of a path before it asks, so that nothing of this name is reached."""


def _is_segment(value: str) -> str:
    if value in DOTS:
        raise PydanticCustomError("value_error", "must not be dots alone")
    return value


ResourceName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9_.-]+$"),
    AfterValidator(_is_segment),
]
"""What an account, a role, an agent or a namespace may be called (sections 2 and 9, row 12)."""

Description = Annotated[str, StringConstraints(max_length=1000)]


def with_namespace(value: Any) -> Any:
    """Take ``workspace`` or ``space`` for ``namespace`` where that is absent or null."""
    if not isinstance(value, dict):
        return value
    for name in ("namespace", "workspace", "space"):
        if value.get(name) is not None:
            return value | {"namespace": value[name]}
    return value
