"""What a bundle is made of, and what is asked of it (teams contract, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from shared.api import Answer, Query


class FindingKind(StrEnum):
    """What is suspicious about a text that agents will obey."""

    BIDI_CONTROL = "bidi-control"
    ZERO_WIDTH = "zero-width"
    TAG_CHARACTER = "tag-character"
    VARIATION_SELECTOR = "variation-selector"
    CONTROL_CHARACTER = "control-character"
    FORMAT_CHARACTER = "format-character"
    INVISIBLE_FILLER = "invisible-filler"
    PRIVATE_USE = "private-use"
    UNASSIGNED = "unassigned"
    PIPE_TO_SHELL = "pipe-to-shell"
    POWERSHELL_DOWNLOAD = "powershell-download"
    ENCODED_COMMAND = "encoded-command"
    INLINE_COMMAND = "inline-command"
    FILE_IMPORT = "file-import"


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of suspicious thing in one text of a team.

    Attributes:
        where: the text, as a path of ASCII such as ``members.reviewer.soul``.
        kind: what it is.
        excerpt: the first of them with what stands around it, in printable ASCII.
        count: how many there are in that text, at least 1.
    """

    where: str
    kind: FindingKind
    excerpt: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle; ``path`` is relative, with ``/`` between its parts."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """A finished download.

    Attributes:
        filename: printable ASCII that needs no quoting in a header.
        media_type: of the body.
        body: a ZIP archive, or the only file's bytes.
        files: what was packed, in the order of the archive.
        findings: what is suspicious in the team.
    """

    filename: str
    media_type: str
    body: bytes
    files: tuple[File, ...]
    findings: tuple[Finding, ...]


class ExportQuery(Query):
    """Which bundle, of which team."""

    format: str = Field("", description="One of the formats; an unknown one is refused by name.")
    team_id: str | None = Field(None, description="Needed by a token of several teams.")
    report: bool = Field(
        False, description="Only tell what is suspicious and which files there would be."
    )


class ReportedFinding(Answer):
    """A finding as a report shows it."""

    where: str
    kind: FindingKind
    excerpt: str
    count: int


class ReportedFile(Answer):
    """A file as a report shows it."""

    path: str
    size: int = Field(description="Bytes.")


class Report(Answer):
    """What a bundle would hold and what is suspicious, without the bundle."""

    format: str
    filename: str
    findings: list[ReportedFinding]
    files: list[ReportedFile]
