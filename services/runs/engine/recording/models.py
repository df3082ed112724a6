"""What was done in a browser, whoever recorded it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

MOST: Final = 2000
"""Actions of one recording."""

MASK: Final = "••••"

Kind = Literal[
    "open",
    "arrive",
    "click",
    "double_click",
    "right_click",
    "hover",
    "fill",
    "select",
    "check",
    "uncheck",
    "press",
    "back",
    "forward",
    "reload",
    "heading",
    "sees",
    "says",
    "at",
]
"""``open`` is asked for, ``arrive`` comes of another action; the last four are what is claimed."""


class NothingRecorded(ValueError):
    """Raised where no suite can be made; its text says why, for clients."""


@dataclass(frozen=True, slots=True)
class Name:
    """How an element is called.

    Attributes:
        text: its words; or a selector, where it has none.
        role: as in the accessibility tree; empty if unknown.
        is_css: whether ``text`` is a selector.
    """

    text: str
    role: str = ""
    is_css: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that was done or seen.

    Attributes:
        kind: what.
        name: of the element; None where there is none.
        value: what was entered or selected, the keys, or the text that was seen.
        url: that was opened or arrived at, or of the page.
        is_secret: whether the value must be found nowhere.
    """

    kind: Kind
    name: Name | None = None
    value: str = field(default="", repr=False)
    url: str = ""
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """A recording, read.

    Attributes:
        acts: in order.
        title: empty where it has none.
        base_url: that it names; may be empty.
        warnings: what was left out, and why; no values.
    """

    acts: tuple[Act, ...]
    title: str = ""
    base_url: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Converted:
    """A suite that was made of a recording.

    Attributes:
        yaml: its text.
        actions: what was made use of, as ``{type,selector?,value?,url?,text?}``, secrets masked.
        warnings: what was left out, and why.
    """

    yaml: str
    actions: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...] = ()
