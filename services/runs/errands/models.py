"""What is known of an errand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

PREFIX: Final = "err_"

ErrandKind = Literal["crawl", "record"]
Status = Literal["queued", "running", "done", "failed", "cancelled"]

OPEN: Final = ("queued", "running")


class ErrandFailed(Exception):
    """Raised when nothing came of an errand.

    Attributes:
        reason: why, for clients.
        code: ``url_not_allowed`` where an address may not be reached; else ``failed``, or
            ``cancelled``, ``timeout``.
    """

    def __init__(self, reason: str, code: str = "failed") -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


class ErrandLost(Exception):
    """Raised when an errand is not this worker's any more."""


@dataclass(frozen=True, slots=True)
class State:
    """An errand at one moment.

    Attributes:
        status: as in the table.
        result: what came of one that is done, until it is forgotten; else None.
        reason: why it failed, for clients.
        code: of the reason; see ``ErrandFailed``.
    """

    status: Status
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    reason: str = ""
    code: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status not in OPEN


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that an errand told.

    Attributes:
        n: rises with each; what was heard last is named by it.
        slot: where not empty, this takes the place of what was told in it before.
        content: what it is.
    """

    n: int
    slot: str
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HeldErrand:
    """A worker's claim on an errand; the fence rises with each claim."""

    org_id: str
    id: str
    worker: str
    fence: int


@dataclass(frozen=True, slots=True)
class Taken:
    """An errand that was claimed.

    Attributes:
        held: the claim.
        kind: of the errand.
        order: opened.
        seconds: that are left for all of it.
    """

    held: HeldErrand
    kind: ErrandKind
    order: Mapping[str, Any] = field(repr=False)
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an errand ended.

    Attributes:
        status: done, failed or cancelled.
        result: of one that is done.
        reason: why it failed, for clients.
        code: of the reason.
    """

    status: Status
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    reason: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a worker sees of an errand in its hands.

    Attributes:
        held: the claim.
        is_kept: whether it holds.
        is_ending: somebody wants it to end, nobody wants it any more, or its time is up.
        is_watched: whether somebody waits for each word of it.
    """

    held: HeldErrand
    is_kept: bool
    is_ending: bool = False
    is_watched: bool = False


@dataclass(frozen=True, slots=True)
class Wished:
    """What somebody said to an errand."""

    org_id: str
    errand_id: str
    content: Mapping[str, Any] = field(repr=False)
