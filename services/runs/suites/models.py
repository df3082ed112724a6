"""Suites on the wire and in rows (runs contract, section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import Field, PlainSerializer, StringConstraints

from shared.api import Answer, Body, Query
from shared.pagination import OffsetPage, OffsetQuery

EXTENSIONS: Final = (".tripwire.yaml", ".tripwire.yml", ".upliftr.yaml", ".upliftr.yml")
"""Of suites' files; the first is the usual one."""

_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_YAML: Final = (".yaml", ".yml")


def file_name(name: str) -> str | None:
    """Give the file that a name means; None if no suite can be called so.

    A name without an extension has the usual one. One that ends like another kind of YAML file
    names no suite.
    """
    known = name.endswith(EXTENSIONS)
    if not known and name.lower().endswith(_YAML):
        return None
    file = name if known else name + EXTENSIONS[0]
    return file if _FILE.fullmatch(file) and ".." not in file else None


def _written(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_written, return_type=str)]
"""ISO 8601 in UTC with ``Z``."""


class NewText(Body):
    """A suite's text, as it is to be kept."""

    yaml: str


class SuiteQuery(OffsetQuery):
    """``GET /api/v1/suites``: all tags must be there; ``q`` is looked for in name, file and id."""

    q: Annotated[str, StringConstraints(max_length=200)] = ""
    tag: Annotated[list[str], Field(max_length=20)] = Field(default_factory=list)


class VersionQuery(OffsetQuery):
    """``GET /api/v1/suites/{name}/versions``."""


class NoQuery(Query):
    """A query string that says nothing."""


class LastRun(Answer):
    """The newest run of a suite, also one that waits or is under way."""

    id: str
    status: str
    finished_at: Time | None


class SuiteItem(Answer):
    """A suite in a list."""

    file: str
    name: str
    suite: str
    id: str
    base_url: str
    case_count: int
    tags: list[str]
    updated_at: Time
    last_run: LastRun | None


SuitePage = OffsetPage[SuiteItem]


class CaseItem(Answer):
    """A case as a suite's detail shows it; ``steps`` and ``expect`` are numbers."""

    id: str
    title: str
    tags: list[str]
    depends_on: list[str]
    steps: int
    expect: int


class Finding(Answer):
    """A problem or a warning, and its place in the text; ``line`` from 1 on."""

    path: str
    line: int | None = None
    message: str


class SuiteDetail(Answer):
    """A suite with its text; ``etag`` as in the header."""

    file: str
    yaml: str
    cases: list[CaseItem]
    etag: str
    warnings: list[Finding]
    updated_at: Time
    version: int


class Created(Answer):
    """A suite has been made."""

    ok: bool = True
    file: str


class Saved(Answer):
    """A suite's text has been kept."""

    ok: bool = True
    file: str
    warnings: list[Finding]
    etag: str
    version: int


class Done(Answer):
    """It is done."""

    ok: bool = True


class VersionItem(Answer):
    """A text that a suite had, or has, without the text."""

    n: int
    etag: str
    author: str
    created_at: Time


class VersionDetail(VersionItem):
    """The same with the text."""

    yaml: str


VersionPage = OffsetPage[VersionItem]


class CompiledClaim(Answer):
    """What decides an assertion without a model; ``check`` is None if nothing does."""

    case: str
    assertion: str
    check: dict[str, Any] | None


class Validation(Answer):
    """What would become of a text; ``ok`` is whether it could be saved."""

    ok: bool
    errors: list[Finding]
    warnings: list[Finding]
    cases: list[CaseItem]
    compiled: list[CompiledClaim]


@dataclass(frozen=True, slots=True, repr=False)
class SuiteText:
    """A suite and its newest text, for those who run it."""

    file: str
    suite_id: str
    name: str
    version: int
    etag: str
    text: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """``If-Match`` and ``If-None-Match`` of a request; None where it has none."""

    if_match: str | None = None
    if_none_match: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Conditions:
        """Read them from a request's headers."""
        return cls(headers.get("if-match"), headers.get("if-none-match"))


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """A text that can be saved, and what the suite's row says of it.

    Attributes:
        text: byte for byte as it came.
        etag: 32 hexadecimal digits.
        cases: as JSON, like ``CaseItem``.
        warnings: as JSON, like ``Finding``.
    """

    text: str
    etag: str
    suite_id: str
    name: str
    base_url: str
    case_count: int
    tags: Sequence[str]
    cases: str
    warnings: str


@dataclass(frozen=True, slots=True)
class Row:
    """A suite's row without its text."""

    file: str
    suite_id: str
    version: int
    etag: str


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """A suite's row with its text; ``cases`` and ``warnings`` are JSON."""

    file: str
    suite_id: str
    version: int
    etag: str
    text: str
    cases: str
    warnings: str
    updated_at: datetime
