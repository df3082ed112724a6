"""What is asked of artifacts and answered, and what is known of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from shared.api import Answer, Body, Query

TOKEN_LIFE: Final = 300
"""Seconds for which a token of one path holds (runs contract, section 3.8)."""

OWN_TOKEN: Final = "art_"  # noqa: S105 - how tokens begin, not one of them
"""How our tokens begin; the gateway's row says so too, and passes them on."""


class TokenRequest(Body):
    """For which path a token is wanted: an artifact's, or a run's folder."""

    path: str = Field(max_length=600)


class TokenMade(Answer):
    """A token for the query of that path, as ``token``."""

    token: str
    expires_in: int = TOKEN_LIFE


class ArtifactQuery(Query):
    """A token in the query; the gateway takes out all but our own."""

    token: str | None = Field(None, max_length=2048)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An artifact, ready to be sent."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes] | None
    media_type: str


@dataclass(frozen=True, slots=True)
class Folder:
    """What the object store holds of a run."""

    org_id: str
    run_id: str
