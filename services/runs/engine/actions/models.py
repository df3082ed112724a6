"""What an action needs to know, what it says it did, and how it says that it could not.

Texts and values in here are unmasked; whoever tells them on masks them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from services.runs.engine.browser.models import Mark
from services.runs.engine.browser.stage import Stage
from services.runs.engine.resolver.models import Candidate, Scored, Wanted
from shared.targets import TargetPolicy

if TYPE_CHECKING:
    from services.runs.engine.grammar import Variables

MOST_ACTIONS: Final = 12
"""In one step (contract 7.2)."""

TIMEOUT: Final = 10.0
"""Seconds for finding one element, unless the suite says otherwise."""


class Impossible(Exception):
    """A step cannot be carried out, so its case is broken.

    Attributes:
        reason: ``not_found``, ``ambiguous``, ``covered``, ``disabled``, ``not_editable``,
            ``not_accepted`` (a field did not keep its value), ``timeout``, ``url_not_allowed``,
            ``unreachable``, ``too_many_actions``, ``login_failed`` or ``not_supported``.
        message: one sentence for the suite's author.
        candidates: what came nearest, best first, at most five.
    """

    def __init__(self, reason: str, message: str, candidates: tuple[Scored, ...] = ()) -> None:
        self.reason = reason
        self.message = message
        self.candidates = candidates
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Found:
    """An element that was found for a step.

    Attributes:
        candidate: of the stage's last reading.
        source: ``cache``, ``rule`` or ``model``.
        score: its points.
    """

    candidate: Candidate
    source: str
    score: float


@dataclass(frozen=True, slots=True)
class Done:
    """An action that was tried on the page.

    Attributes:
        tool: ``read_dom``, ``goto``, ``click_element``, ``set_field``, ``press_key``,
            ``create_file``, ``upload_file`` or ``done`` (contract 8.1).
        candidate: the element, where there was one.
        value: what was typed or picked, unmasked.
        text: what was done, for people, without the value.
        url: of the page before it; for ``goto`` where to.
        ok: whether it came about.
        ms: how long it took.
        source: as of ``Found``.
    """

    tool: str
    candidate: Candidate | None = None
    value: str | None = None
    text: str = ""
    url: str = ""
    ok: bool = True
    ms: int = 0
    source: str = "rule"


Locate: TypeAlias = Callable[[Stage, Wanted, "Scene"], Awaitable[Found]]


def _allow() -> None:
    return None


async def _ignore(_: Done) -> None:
    return None


async def _by_rules(stage: Stage, wanted: Wanted, scene: Scene) -> Found:
    # Models stand below the room's code; what finds elements by the rules is asked for late.
    from services.runs.engine.actions.locating import by_rules

    return await by_rules(stage, wanted, scene)


@dataclass(slots=True)
class Scene:
    """What surrounds a step.

    Attributes:
        variables: of the case.
        base_url: of the suite, filled in.
        origins: ``scheme://host:port`` that words may lead to; an address that the step itself
            names is open besides.
        scratch: folder of the run, for files that are made.
        policy: which addresses ``api`` checks may reach.
        timeout: seconds for finding one element.
        secret: whether the step's values must not be shown.
        locate: finds elements; ``healing`` puts itself in here.
        check: called right before every action on the page; raises to stop.
        on_action: told of each action as it happened.
        last_form: ``Candidate.form`` of the last action in the same document.
        actions: how many the step has taken; whoever begins a step sets it to 0.
        files: how many were made.
        mark: the moment at which the case began to act; set by itself.
        dialogs: native ones that were there before the last action.
        is_dialog_foreseen: whether the next one is answered as the next intent says.
    """

    variables: Variables
    base_url: str
    origins: frozenset[str]
    scratch: Path
    policy: TargetPolicy
    timeout: float = TIMEOUT
    secret: bool = False
    locate: Locate = _by_rules
    check: Callable[[], None] = _allow
    on_action: Callable[[Done], Awaitable[None]] = _ignore
    last_form: str | None = None
    actions: int = 0
    files: int = 0
    mark: Mark | None = None
    dialogs: int = 0
    is_dialog_foreseen: bool = False
