"""What a number of a version must look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from services.teams.versions.models import MOST_NUMBER
from shared.errors import BadRequest, NotFound

_NUMBER: Final = re.compile(r"[0-9]{1,10}")


def read_number(text: str) -> int:
    """Read a number from a path.

    Raises:
        NotFound: no version can have it.
    """
    if not _NUMBER.fullmatch(text):
        raise NotFound
    return _possible(int(text))


def read_version(body: Mapping[str, Any]) -> int:
    """Read the number of ``POST /api/teams/rollback``.

    Raises:
        BadRequest: there is none.
        NotFound: no version can have it.
    """
    number = body.get("version")
    if number is None:
        raise BadRequest("version is required")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise BadRequest("version must be a positive integer")
    return _possible(number)


def _possible(number: int) -> int:
    if number > MOST_NUMBER:
        raise NotFound
    return number
