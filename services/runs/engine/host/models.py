"""What a worker and the process of a run say to each other: one JSON object a line.

The worker's lines begin with the job, or the errand; the process' own end with ``End``, or
``Outcome``, after which it leaves.
Either side that sees the other's end of the pipe close knows that the other is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

LONGEST_LINE: Final = 8 * 1024 * 1024
"""Bytes; a report of a large suite is the longest that is said."""

ALIVE_SECONDS: Final = 2.0
"""Seconds between two signs of life of a run's process."""


class Line(BaseModel):
    """Base of what is said."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Targets(Line):
    """Which addresses the browser may reach: the words of ``shared.targets``."""

    allow_private: bool = False
    allow: str = ""
    deny: str = ""


class BrowserWish(Line):
    """Which browser, and how.

    Attributes:
        executable: the path of Chromium; empty: what is found on the machine.
        endpoint: a remote browser's ``ws://`` address instead.
        sandbox: whether Chromium contains its pages; None: wherever the machine can.
        headed: whether a person wants to see it.
    """

    executable: str = ""
    endpoint: str = ""
    sandbox: bool | None = None
    headed: bool = False


class Account(Line):
    """A test account that is logged in before a suite's cases; nothing in it is a template."""

    username: str
    password: str = Field(repr=False)
    login_path: str | None = None


class Job(Line):
    """A run to be executed: the first line of a worker.

    Attributes:
        say: ``job``.
        run_id: of the run.
        attempt: from 1 on.
        file: the suite's file name.
        text: the suite.
        cases: ids of those to run, dependencies among them; None: all.
        environment: the process environment's variables that ``env:`` may take.
        variables: given with the run; they win over ``env:``.
        account: logged in first, for cases that name none of their own.
        is_sharded: independent groups of cases may run side by side.
        git_sha, ci_url: shown in the report.
        entries: the resolution cache of this suite.
        refused: targets that a person has refused, by step.
        keeps: whether new resolutions are wanted.
        browser: which.
        targets: which addresses it may reach.
        has_model: whether questions may be asked.
        scratch: the folder of this run alone; the process leaves nothing elsewhere.
        seconds: for all of it.
        leash: until when it may act, by the machine's monotonic clock; renewed by ``Leash``.
    """

    say: Literal["job"] = "job"
    run_id: str
    attempt: int = 1
    file: str
    text: str
    cases: tuple[str, ...] | None = None
    environment: Mapping[str, str] = Field(default_factory=dict)
    variables: Mapping[str, str] = Field(default_factory=dict)
    account: Account | None = None
    is_sharded: bool = False
    git_sha: str = ""
    ci_url: str = ""
    entries: tuple[Mapping[str, Any], ...] = ()
    refused: tuple[Mapping[str, Any], ...] = ()
    keeps: bool = True
    browser: BrowserWish = BrowserWish()
    targets: Targets = Targets()
    has_model: bool = False
    scratch: str
    seconds: float = 3600.0
    leash: float


class Errand(Line):
    """A job of a browser that is no run: the first line of a worker.

    Attributes:
        say: ``errand``.
        errand_id: of the errand.
        kind: what is done.
        order: what the room of that kind takes; it may hold a password.
        browser: which.
        targets: which addresses it may reach.
        scratch: the folder of this errand alone.
        seconds: for all of it.
        leash: as of ``Job``.
    """

    say: Literal["errand"] = "errand"
    errand_id: str
    kind: Literal["crawl", "record"]
    order: Mapping[str, Any] = Field(repr=False)
    browser: BrowserWish = BrowserWish()
    targets: Targets = Targets()
    scratch: str
    seconds: float
    leash: float


class Wish(Line):
    """Somebody who watches an errand says something to it."""

    say: Literal["wish"] = "wish"
    content: Mapping[str, Any] = Field(repr=False)


class Leash(Line):
    """The worker still holds the run: it may act until then, by the machine's monotonic clock.

    No number of seconds: a line that both have slept over would give time that is long past.
    """

    say: Literal["leash"] = "leash"
    until: float


class Cancel(Line):
    """The run is to end before its next action."""

    say: Literal["cancel"] = "cancel"


class Answer(Line):
    """What a model said to question ``id``; ``error`` where it said nothing."""

    say: Literal["answer"] = "answer"
    id: int
    answer: Mapping[str, Any] | None = None
    error: str | None = None


class Said(Line):
    """An event of section 8.1, masked, without ``seq``, which its keeper gives."""

    say: Literal["event"] = "event"
    event: Mapping[str, Any]


class Stored(Line):
    """A file of the scratch folder that is to be kept as ``path`` among the run's artifacts.

    ``source`` is relative to the scratch folder. Its keeper may move it away.
    """

    say: Literal["file"] = "file"
    path: str
    source: str


class Kept(Line):
    """What a case that passed has taught: cache entries, and records of what was healed."""

    say: Literal["kept"] = "kept"
    case_id: str
    entries: tuple[Mapping[str, Any], ...] = ()
    heals: tuple[Mapping[str, Any], ...] = ()


class Reported(Line):
    """The report as far as it goes (section 8.3)."""

    say: Literal["report"] = "report"
    report: Mapping[str, Any]


class Asked(Line):
    """A question to the model, or (``screenshot``) whether a picture is still the same.

    The question of a picture is ``{name, source, tol}``, its ``source`` a file as of ``Stored``;
    its answer is ``{passed, observed}``.
    """

    say: Literal["ask"] = "ask"
    id: int
    kind: Literal["steps", "judge", "screenshot"]
    question: Mapping[str, Any]


class Alive(Line):
    """A sign of life: the loop of the run's process turns."""

    say: Literal["alive"] = "alive"


class Told(Line):
    """An errand tells who watches it; in a slot that is not empty only the newest counts."""

    say: Literal["told"] = "told"
    slot: str = Field(default="", max_length=40)
    content: Mapping[str, Any] = Field(repr=False)


class Secrets(Line):
    """What was masked in the report; said before ``End`` where cases did not pass.

    By these values the worker masks what it takes over from the application's log.
    """

    say: Literal["secrets"] = "secrets"
    values: tuple[str, ...] = Field(repr=False)


class Outcome(Line):
    """The last line of an errand.

    Attributes:
        say: ``outcome``.
        result: what came of it; None where nothing did.
        reason: why nothing did, for clients.
        code: a word for it; ``url_not_allowed`` where an address may not be reached.
    """

    say: Literal["outcome"] = "outcome"
    result: Mapping[str, Any] | None = Field(default=None, repr=False)
    reason: str = ""
    code: str = ""


class End(Line):
    """The last line. ``interrupted``: the browser died, so nobody knows what would have been.

    Attributes:
        say: ``end``.
        status: of the run.
        report: the whole.
        reason: why it was interrupted, for people.
    """

    say: Literal["end"] = "end"
    status: Literal["passed", "failed", "broken", "cancelled", "interrupted"]
    report: Mapping[str, Any]
    reason: str = ""


FromWorker: TypeAlias = Annotated[
    Job | Errand | Leash | Cancel | Answer | Wish, Field(discriminator="say")
]
FromRun: TypeAlias = Annotated[
    Said | Stored | Kept | Reported | Asked | Alive | Told | Secrets | Outcome | End,
    Field(discriminator="say"),
]

FROM_WORKER: Final[TypeAdapter[FromWorker]] = TypeAdapter(FromWorker)
FROM_RUN: Final[TypeAdapter[FromRun]] = TypeAdapter(FromRun)
