"""What a page offers, what a step wants, and what comes of putting the two together.

Contract sections 5.2 (candidates) and 5.3 (scores). Everything read from a page is its own claim:
text to compare, never an instruction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.runs.engine.language.models import Target, Value

ACCEPT: Final = 70
"""Points that a candidate needs to be chosen."""

LEAD: Final = 10
"""Points by which it must lead over every other."""

MOST_SHOWN: Final = 5
"""Candidates that explain a failure."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An element as one reading of the page found it.

    Attributes:
        frame: index of its frame in that reading; 0 is the page itself.
        ref: names the element to ``Stage.element``, for as long as its document lives.
        role: explicit or implicit; ``clickable`` for a generic element that takes clicks,
            ``text`` for one that only says something.
        name: accessible name, in the contract's order.
        name_sources: by source (``labelledby``, ``aria``, ``label``, ``placeholder``, ``title``,
            ``alt``, ``content``, ``name``, ``id``, ``test_id``) what each of them says.
        description: of ``aria-describedby``.
        visible: whether anybody could see it; scrolled out of view still counts.
        enabled: neither disabled nor inert.
        editable: takes text now.
        value: of a field; of a password ``••••`` or nothing.
        input_type: ``type`` of an input, in lower case.
        autocomplete: as the page says.
        test_id: ``data-testid``, ``data-test``, ``data-test-id``, ``data-cy`` or ``data-qa``.
        href: resolved address of a link.
        tag: in lower case.
        x: left edge in CSS pixels of the page's own window (frames' offsets are added).
        y: top edge likewise.
        width: in CSS pixels.
        height: in CSS pixels.
        in_viewport: whether a part of it is in view.
        in_top_dialog: whether it stands in the topmost open dialog.
        landmark: those of ``header``, ``nav``, ``main``, ``sidebar``, ``footer``, ``search`` that
            it stands in, inner first, with blanks between; or empty.
        form: names its form within this reading; empty outside of one.
        row_text: text of the table row, list item or card around it.
        heading: the heading that it stands under.
        neighbour: text right before it.
        css: a selector that finds it in its frame at the time of the reading.
        checked: of checkboxes, radio buttons, switches and selected options; else None.
        order: position in the page, over all frames.
        clickable: whether it takes clicks.
        focused: whether it has the focus.
        primary: whether it is its form's first submit button.
        required: whether a field must be filled.
        invalid: whether ``aria-invalid`` says so, or the browser after it was touched.
        expanded: ``aria-expanded``, None where it says nothing.
        level: of a heading, else 0.
        effect: what a click does, where the page tells (a submit's form and action); else empty.
        within: ``ref`` of the nearest button, link or the like around it; else empty.
        groups: names of what it stands in (dialog, form, fieldset, region, table), inner first.
        row: names its row within this reading; else empty.
        options: of a native select, at most 200.
        frames: addresses of its frame's chain without query, the page's own left out.
    """

    frame: int
    ref: str
    role: str
    name: str
    name_sources: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    visible: bool = True
    enabled: bool = True
    editable: bool = False
    value: str = ""
    input_type: str = ""
    autocomplete: str = ""
    test_id: str = ""
    href: str = ""
    tag: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    in_viewport: bool = True
    in_top_dialog: bool = False
    landmark: str = ""
    form: str = ""
    row_text: str = ""
    heading: str = ""
    neighbour: str = ""
    css: str = ""
    checked: bool | None = None
    order: int = 0
    clickable: bool = False
    focused: bool = False
    primary: bool = False
    required: bool = False
    invalid: bool = False
    expanded: bool | None = None
    level: int = 0
    effect: str = ""
    within: str = ""
    groups: tuple[str, ...] = ()
    row: str = ""
    options: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a step asks the page for.

    Attributes:
        target: in words, its templates filled in.
        verb: ``click``, ``fill``, ``clear``, ``select``, ``toggle``, ``press``, ``hover``,
            ``focus``, ``scroll``, ``drag``, ``upload``, ``wait``, ``submit``, ``open`` or ``see``.
        last_form: ``Candidate.form`` of the action before, in the same document.
        secret: whether its words must not be shown.
        refused: descriptions (``role`` and ``name``) that a person refused for this step.
    """

    target: Target
    verb: str
    last_form: str | None = None
    secret: bool = False
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate and its points.

    Attributes:
        candidate: of the page.
        score: all of its points.
        signals: what gave them, as ``exact name +100``.
        base: those of its name and role.
    """

    candidate: Candidate
    score: float
    signals: tuple[str, ...] = ()
    base: float = 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """One candidate is meant. ``lead`` is over the next that would do something else."""

    candidate: Candidate
    score: float
    lead: float


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several would do; best first, at most five."""

    candidates: tuple[Scored, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """None would do. What came nearest, best first, at most five.

    Attributes:
        candidates: hidden ones are left out.
        disabled: the one that would have been chosen, had it been enabled.
        missing: which part was not there: ``target``, or the words of a relation or region.
    """

    candidates: tuple[Scored, ...]
    disabled: Candidate | None = None
    missing: str = "target"


Resolved = Choice | Ambiguous | Absent


@dataclass(frozen=True, slots=True)
class Entry:
    """A value to be entered, with what is known of where it comes from.

    Attributes:
        value: what is typed; of it only ``variable`` counts here.
        field: the field's words where the step names it.
        kind: ``capture``, ``fixture``, ``env``, ``row`` or empty.
        generator: of a fixture (``unique_email``, ``password``, …), else None.
        text: the value itself, for its shape (an e-mail address, a date); never shown.
    """

    value: Value
    field: Target | None = None
    kind: str = ""
    generator: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Unassignable:
    """The values of one step and the fields of the page do not come out even.

    Attributes:
        reason: ``not_found`` or ``ambiguous``.
        message: for a person; no value stands in it.
        candidates: the fields that were there.
    """

    reason: str
    message: str
    candidates: tuple[Scored, ...] = ()
