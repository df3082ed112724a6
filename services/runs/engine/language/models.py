"""What English becomes: targets, values, intents and capture phrases.

Every text in here is a template (contract 4.1): `${name}` stands as it was written until
`fill_intent` or `fill_target` puts the value in. A value can therefore never change what a step
means, because the meaning was settled before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Value:
    """What is typed or picked.

    Attributes:
        template: The text, with placeholders.
        variable: The name when the whole value is one placeholder: `${email}` -> "email".
    """

    template: str
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """Where a target lies, seen from another element.

    Attributes:
        kind: `in`, `under`, `next_to`, `above`, `below` or `row` (in the row that holds it).
        target: The other element.
    """

    kind: str
    target: Target


@dataclass(frozen=True, slots=True)
class Target:
    """An element as a person names it.

    Attributes:
        text: The name, a template; "" when only role, ordinal or place are given.
        quoted: The name stood in quotes, so it is literal and not fuzzy.
        role: An ARIA role word (`button`, `textbox`, `row`, ...), or None.
        ordinal: 1-based; -1 is the last one; None when not said.
        relations: Where it lies, nearest first.
        region: `header`, `footer`, `sidebar`, `navigation`, `main` or `dialog`, or None.
    """

    text: str
    quoted: bool = False
    role: str | None = None
    ordinal: int | None = None
    relations: tuple[Relation, ...] = ()
    region: str | None = None


Pairs: TypeAlias = tuple[tuple[Value, Target | None], ...]


@dataclass(frozen=True, slots=True)
class FileWish:
    """The file a step wants to upload.

    Attributes:
        description: The author's words: "a 1 KB PNG".
        name: A file name, when one was given.
        kind: Lower-case extension without a dot (`png`, `pdf`, `csv`, `txt`), or None.
        size_bytes: The wished size, or None.
    """

    description: str
    name: str | None = None
    kind: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """Open a page: an address, a path or words for it."""

    target: Target


@dataclass(frozen=True, slots=True)
class Click:
    """Click; `button` is `left`, `right` or `middle`, `times` is 2 for a double click."""

    target: Target
    button: str = "left"
    times: int = 1


@dataclass(frozen=True, slots=True)
class Fill:
    """Type values, each into its field, or (None) into the field that fits it (contract 5.4)."""

    values: Pairs


@dataclass(frozen=True, slots=True)
class Clear:
    """Empty a field."""

    target: Target


@dataclass(frozen=True, slots=True)
class Select:
    """Pick an option; `field` is None when the step does not name it."""

    option: Value
    field: Target | None = None


@dataclass(frozen=True, slots=True)
class Toggle:
    """Switch a checkbox, radio button or switch; `to` is `on`, `off` or `flip`."""

    target: Target
    to: str = "on"


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys as Playwright names them (`Enter`, `Control+A`), perhaps on an element."""

    keys: str
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Hover:
    """Move the pointer over an element."""

    target: Target


@dataclass(frozen=True, slots=True)
class Focus:
    """Give an element the focus."""

    target: Target


@dataclass(frozen=True, slots=True)
class Scroll:
    """Scroll `down`, `up`, to the `top` or `bottom`, or until an element is in view."""

    to: str | Target


@dataclass(frozen=True, slots=True)
class Drag:
    """Drag one element onto another."""

    source: Target
    destination: Target


@dataclass(frozen=True, slots=True)
class Upload:
    """Upload a file; `field` is None when the step does not name it."""

    file: FileWish
    field: Target | None = None


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Wait for an element (or, with `gone`, for its end), or a time.

    With neither target nor seconds: until the page has settled.
    """

    target: Target | None = None
    seconds: float | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """History: `back`, `forward` or `reload`."""

    to: str


@dataclass(frozen=True, slots=True)
class AnswerDialog:
    """Answer the browser's own dialog, perhaps with a text (`prompt`)."""

    accept: bool
    text: Value | None = None


@dataclass(frozen=True, slots=True)
class SwitchTab:
    """Go to a browser tab, by title or 1-based number (-1 is the newest)."""

    target: Target | int


@dataclass(frozen=True, slots=True)
class CloseTab:
    """Close a browser tab; None is the current one."""

    target: Target | int | None = None


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit a form; None is the one last used, or the only one."""

    target: Target | None = None


@dataclass(frozen=True, slots=True)
class LogIn:
    """Log in with values, each perhaps with the field it belongs to."""

    values: Pairs


@dataclass(frozen=True, slots=True)
class Search:
    """Search for something in the page's search field."""

    value: Value


Intent: TypeAlias = (
    Open
    | Click
    | Fill
    | Clear
    | Select
    | Toggle
    | Press
    | Hover
    | Focus
    | Scroll
    | Drag
    | Upload
    | WaitFor
    | Go
    | AnswerDialog
    | SwitchTab
    | CloseTab
    | Submit
    | LogIn
    | Search
)


@dataclass(frozen=True, slots=True)
class CapturePhrase:
    """What a capture takes from the page (contract 6.2).

    Attributes:
        kind: `beside` (the text beside `label`), `value` (what stands in the field `target`),
            `text` (the text of `target`), `page_url`, `page_title`, or a pattern near `words`:
            `id`, `number`, `code`, `total`, `price`, `url`, `email`, `date`.
        label: The quoted label, a template, or None.
        words: Words near which the pattern is looked for, in order, lower case.
        target: The element for `value` and `text`.
    """

    kind: str
    label: str | None = None
    words: tuple[str, ...] = ()
    target: Target | None = None
