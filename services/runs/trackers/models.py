"""What is owed to trackers, whom it is owed to, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

PROVIDERS: Final = ("github", "gitlab", "jira")

NAMES: Final = {"github": "GitHub", "gitlab": "GitLab", "jira": "Jira"}
"""How people call them."""

LABEL: Final = "tripwire"
"""On every issue that we file."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where an organization's failures are filed with a provider, and as whom.

    Attributes:
        provider: one of ``PROVIDERS``.
        base: address of the API, without a slash at its end.
        project: ``owner/name``, a project's number or path, or a project's key.
        secret: what the provider is shown; never in a log, an error or a ``repr``.
        user: whose secret it is, for Jira.
    """

    provider: str
    base: str
    project: str
    secret: str = field(repr=False)
    user: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Name the repository or project, as no other is named."""
        return f"{self.base} {self.project}"


@dataclass(frozen=True, slots=True)
class Owed:
    """A filing in the hands of one clerk: one issue of the board, seen by one run.

    Attributes:
        number: of the board's issue.
        attempt: its number, from 1; whoever takes the filing next has a higher one.
    """

    org_id: str
    provider: str
    number: int
    run_id: str
    case_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Link:
    """What is remembered of an issue's counterpart in one place.

    Attributes:
        key: empty until it is known.
        creating_s: seconds since creating was begun whose answer nobody has heard; or None.
    """

    key: str = ""
    creating_s: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a tracker is told: masked texts only.

    Attributes:
        run_id: of the run that saw the failure; it stands in the body and in the comment.
        fingerprint: by which the failure is known again.
        title: one line.
        body: of a new issue; Markdown, without the fingerprint.
        comment: for an issue that is there; Markdown.
        labels: of a new issue.
    """

    run_id: str
    fingerprint: str
    title: str
    body: str
    comment: str
    labels: tuple[str, ...] = (LABEL,)


@dataclass(frozen=True, slots=True)
class Ticket:
    """An issue in a tracker.

    Attributes:
        key: by which the provider's API knows it in its place.
        shown: how people name it.
        url: where people see it.
        is_closed: whether a recurrence opens it again.
        text: its body as text, in which the fingerprint stands.
    """

    key: str
    shown: str
    url: str
    is_closed: bool = False
    text: str = ""


class Kind(StrEnum):
    """What follows from a failure."""

    LATER = "later"
    """It may work the next time."""

    SETUP = "setup"
    """It works when somebody has changed a setting or a right; tried again rarely."""

    FINAL = "final"
    """It will not work."""


class TrackerFailed(Exception):
    """A tracker did not do what it was asked.

    Args:
        reason: in our own words; nothing that the tracker said, and no credential.
        kind: what follows.
        later_s: seconds that it asked us to wait; 0 if it did not.
        is_unheard: whether it may have done it all the same.
        is_for_all: whether it would do nothing else for us now, either.
    """

    def __init__(
        self,
        reason: str,
        kind: Kind,
        later_s: float = 0.0,
        *,
        is_unheard: bool = False,
        is_for_all: bool = False,
    ) -> None:
        self.reason = reason
        self.kind = kind
        self.later_s = later_s
        self.is_unheard = is_unheard
        self.is_for_all = is_for_all
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    Attributes:
        reason: why it failed, in our own words; empty where it was filed.
        delay_s: seconds until the next attempt; None where there is none.
        ticket: where it was filed.
        place: of the ticket.
        is_new: whether this filing created the ticket.
        is_for_all: whether other filings with the same provider need not be tried before.
    """

    reason: str = ""
    delay_s: float | None = None
    ticket: Ticket | None = None
    place: str = ""
    is_new: bool = False
    is_for_all: bool = False
