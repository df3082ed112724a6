"""Proprietary packages on the wire and in rows (learnings contract, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.api import Answer, Body, Query

NEWEST: Final = "latest"
"""Asked for as a version, it means the one that was uploaded last."""


def _in_order(names: list[str]) -> list[str]:
    return sorted(set(names))


def _is_no_word(version: str) -> str:
    if version == NEWEST:
        raise PydanticCustomError("value_error", "is a word that no version may have")
    return version


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
PackageVersion = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$"),
    AfterValidator(_is_no_word),
]
Sha256 = Annotated[str, BeforeValidator(_lower), StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Named(Body):
    """The path of an uploaded package."""

    package: PackageName
    version: PackageVersion


class UploadQuery(Query):
    """``PUT /v1/proprietary/packages/{package}/{version}``; the digest is checked if given."""

    sha256: Sha256 | None = None


class TicketQuery(Query):
    """The signed part of an address."""

    ticket: str = ""


class EntitlementRequest(Body):
    """``POST /v1/proprietary/entitlement``."""

    license_key: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    package: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    version: Annotated[str, StringConstraints(min_length=1, max_length=200)] = NEWEST


class Grants(Body):
    """``PUT /v1/proprietary/entitlements/{org_id}``: all packages that it may have from now on."""

    packages: Annotated[list[PackageName], Field(max_length=200), AfterValidator(_in_order)]


class License(Answer):
    """An organization's license key."""

    license_key: str


class Entitlement(Answer):
    """Where a package is, for the next 15 minutes."""

    url: str
    sha256: str
    version: str


class GrantsAnswer(Answer):
    """What an organization may have."""

    org_id: str
    packages: list[str]


class PackageAnswer(Answer):
    """A package that was uploaded."""

    package: str
    version: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Package:
    """A package as it stands in its row."""

    package: str
    version: str
    sha256: str
    size_bytes: int
    file: str
