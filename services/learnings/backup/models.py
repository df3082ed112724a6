"""Backups on the wire and in rows (learnings contract, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from shared.api import Answer, Body, Query


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


ClientId = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class PresignRequest(Body):
    """``POST /v1/backup/presign``: to upload, or with ``method`` "get" and ``key`` to download."""

    client_id: ClientId
    method: Annotated[Literal["put", "get"], BeforeValidator(_lower)] = "put"
    sha256: (
        Annotated[str, BeforeValidator(_lower), StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None
    ) = None
    size_bytes: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None


class BackupQuery(Query):
    """``GET /v1/backup/list``; without a client, all of the organization."""

    client_id: ClientId | None = None


class TicketQuery(Query):
    """The signed part of an address."""

    ticket: str = ""


class Presigned(Answer):
    """Where to send a backup, or to fetch it from, within 15 minutes."""

    url: str
    key: str


class BackupItem(Answer):
    """One backup in the list."""

    key: str
    uploaded_at: datetime
    size_bytes: int
    sha256: str
    client_id: str


class BackupList(Answer):
    """Newest first."""

    objects: list[BackupItem]


class Received(Answer):
    """A backup that is stored."""

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Announced:
    """A backup that is to be uploaded, as its ticket says."""

    org_id: str
    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup that is stored; ``sealed_key`` opens the object ``file``."""

    key: str
    size_bytes: int
    sha256: str
    file: str
    sealed_key: bytes


@dataclass(frozen=True, slots=True)
class Room:
    """How full an organization's store is.

    Attributes:
        used: bytes that are stored or announced, without what a new backup of the client replaces.
        waiting: backups that are announced and not uploaded yet.
        kept: backups that are stored.
        is_forgotten: whether the organization was erased.
    """

    used: int
    waiting: int
    kept: int
    is_forgotten: bool


@dataclass(frozen=True, slots=True)
class Old:
    """A backup that went, and the object that is to go with it."""

    org_id: str
    file: str | None
