"""Checks on the wire and in rows (runs contract, section 3.9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from services.runs.engine.probes.api import ABSENT, METHODS, ApiRequest
from services.runs.engine.probes.json_path import read_path
from shared.api import Answer, Body
from shared.pagination import OffsetPage, OffsetQuery

Status = Literal["passed", "failed"]

TOLERANCE: Final = 0.01
"""Share of pixels that may differ unless the caller says otherwise."""

MOST_HEADERS: Final = 100
LONGEST_URL: Final = 8_000

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_UNNAMABLE: Final = re.compile(r"[\x00-\x1f\x7f/\\\u2028\u2029\ud800-\udfff]")


def _refuse(message: str) -> PydanticCustomError:
    return PydanticCustomError("value_error", "{message}", {"message": message})


def _is_name(value: str) -> str:
    if value in (".", "..") or value != value.strip() or _UNNAMABLE.search(value):
        raise _refuse("must be words without slashes, such as home-page")
    return value


Name = Annotated[
    str, StringConstraints(min_length=1, max_length=120, strict=True), AfterValidator(_is_name)
]
"""Of a baseline; it stands in paths."""


def _is_path(value: str) -> str:
    try:
        read_path(value)
    except ValueError as error:
        raise _refuse(str(error)) from None
    return value


def _are_headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        is_plain = text.isascii() and (text.isprintable() or text == "")
        if not _HEADER.fullmatch(name) or not is_plain or len(text) > LONGEST_URL:
            raise _refuse("must be names and one-line values of ASCII")
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class ApiCheck(Body):
    """``POST /checks/api``. ``equals`` may be any JSON, null too; ``body`` likewise, or a text."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL, strict=True)]
    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        BeforeValidator(_upper),
    ] = "GET"
    status: Annotated[int, Field(ge=100, le=599, strict=True)] | None = None
    json_path: (
        Annotated[str, StringConstraints(max_length=1_000, strict=True), AfterValidator(_is_path)]
        | None
    ) = None
    equals: Any = None
    headers: (
        Annotated[
            dict[str, Annotated[str, StringConstraints(strict=True)]],
            Field(max_length=MOST_HEADERS),
            AfterValidator(_are_headers),
        ]
        | None
    ) = None
    body: Any = None

    def as_request(self) -> ApiRequest:
        """Give it as the engine sends it."""
        return ApiRequest(
            self.url,
            self.method,
            self.status,
            self.json_path or "",
            self.equals if "equals" in self.model_fields_set else ABSENT,
            self.headers or {},
            self.body,
        )


assert set(METHODS) == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class ApiChecked(Answer):
    """What came of it."""

    kind: Literal["api"] = "api"
    status: Status
    observed: str


class ScreenshotCheck(Body):
    """``POST /checks/screenshot``. ``image_b64`` is a PNG in base64, perhaps as a ``data:`` URL."""

    name: Name
    image_b64: Annotated[str, StringConstraints(min_length=1, strict=True)]
    tol: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] | None = None


class ScreenshotChecked(Answer):
    """What came of it; ``diff_path`` is where the picture of the difference is, if there is one."""

    kind: Literal["screenshot_region"] = "screenshot_region"
    status: Status
    observed: str
    diff_path: str | None = None
    seeded: bool = False


class BaselineQuery(OffsetQuery):
    """``GET /checks/screenshot``."""

    q: Annotated[str, StringConstraints(max_length=200)] = ""


class Baseline(Answer):
    """A baseline; the paths lead to its pictures."""

    name: str
    width: int
    height: int
    status: Status
    observed: str
    created_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    compared_at: datetime
    picture_path: str
    latest_path: str
    diff_path: str | None


BaselinePage = OffsetPage[Baseline]


class Done(Answer):
    """What a deletion answers."""

    ok: Literal[True] = True


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """A baseline's row; keys are those of the object store."""

    name: str
    picture: str
    latest: str
    difference: str | None
    sha256: bytes
    latest_sha256: bytes
    width: int
    height: int
    status: Status
    observed: str
    created_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    compared_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """A picture that was sent and can be unpacked; its key, once it is in the store."""

    content: bytes
    sha256: bytes
    width: int
    height: int
    key: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """What comparing gave: the words of the answer, and the picture of the difference, if any."""

    status: Status
    observed: str
    difference: bytes | None = None
