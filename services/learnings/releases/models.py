"""Releases on the wire and in rows (learnings contract, section 5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.api import Answer, Body, Query
from shared.pagination import Page, PageQuery

Channel = Literal["latest", "lts"]

RESERVED: Final = frozenset({"latest", "lts", "signing-key"})
"""Words that stand where a version stands in paths."""


def _is_free(version: str) -> str:
    if version in RESERVED:
        raise PydanticCustomError("value_error", "is a word that no version may have")
    return version


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable():
        raise PydanticCustomError("value_error", "must be http:// or https:// and a host")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Version = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$"),
    AfterValidator(_is_free),
]
Sha256 = Annotated[
    str, BeforeValidator(_lower), StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)
]
"""A SHA-256 in hexadecimal, in lower case."""

Size = Annotated[int, Field(ge=0, lt=2**63)]
Word = Annotated[str, StringConstraints(max_length=100)]


class NewRelease(Body):
    """``POST /v1/releases``; ``artifact_url`` is a path of the builder's, kept as text."""

    version: Version
    channel: Channel = "latest"
    artifact_url: Annotated[str, StringConstraints(max_length=4096)] = ""
    artifact_checksum: Sha256
    artifact_size_bytes: Size
    framework_version: Word = ""
    min_compatible_version: Version = "0.0.0"
    installer_checksum: Sha256 | None = None
    changelog_url: (
        Annotated[str, StringConstraints(max_length=2048), AfterValidator(_web_address)] | None
    ) = None
    changelog: Annotated[str, StringConstraints(max_length=65_536)] = ""


class ReleaseQuery(Query):
    """``?channel=`` of the routes below ``latest``."""

    channel: Channel = "latest"


class ReleaseListQuery(PageQuery):
    """``GET /v1/releases``."""

    channel: Channel | None = None


class Release(Answer):
    """A release as shown; ``signature`` is over ``signed``, byte by byte."""

    version: str
    published_at: str
    channel: str
    changelog_url: str
    artifact_url: str
    artifact_checksum: str
    artifact_size_bytes: int
    installer_checksum: str | None
    min_compatible_version: str
    framework_version: str
    sha256sums_url: str
    signed: str
    signature: str


ReleasePage = Page[Release]


class Artifact(Answer):
    """``GET /v1/releases/{version}/artifact``."""

    version: str
    artifact_url: str
    artifact_checksum: str
    artifact_size_bytes: int
    min_compatible_version: str


class Uploaded(Answer):
    """What was received of a file."""

    version: str
    sha256: str
    size_bytes: int


class SigningKey(Answer):
    """The public half of the key that signs releases, in base64."""

    algorithm: Literal["ed25519"] = "ed25519"
    public_key: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A release as it stands in its row.

    ``expected_installer`` is what the poster said of the installer; ``installer_checksum`` is of
    the one that is there.
    """

    version: str
    channel: str
    posted_at: datetime
    built_at: str
    artifact_checksum: str
    artifact_size_bytes: int
    expected_installer: str | None
    min_compatible_version: str
    framework_version: str
    changelog_url: str
    changelog: str
    artifact_file: str | None
    installer_file: str | None
    installer_checksum: str | None
    installer_size_bytes: int | None
    is_withdrawn: bool
