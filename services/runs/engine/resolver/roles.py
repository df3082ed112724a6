"""Which roles fit a verb, and which a person's word for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.runs.engine.resolver.models import Candidate

FITS: Final = 20
WRONG: Final = -30
OPENS_NOTHING: Final = -10
"""Of a button that is called a menu and does not say that it opens one: only by its whole name."""

_TEXT: Final = frozenset({"textbox", "searchbox", "spinbutton"})
_LISTS: Final = frozenset({"combobox", "listbox"})
_TICKS: Final = frozenset({"checkbox", "radio", "switch", "menuitemcheckbox", "menuitemradio"})
_TAKES: Final = frozenset(
    {"button", "link", "menuitem", "tab", "option", "treeitem", "clickable"} | _TICKS
)
_PIECES: Final = frozenset({"img", "cell", "gridcell", "row", "listitem", "article", "file"})

_VERBS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    # verb: roles that fit, roles that neither fit nor are wrong
    "click": (_TAKES, _TEXT | _LISTS | _PIECES | {"slider"}),
    "fill": (_TEXT | {"combobox"}, frozenset({"slider", "listbox"})),
    "clear": (_TEXT | {"combobox"}, frozenset({"slider", "listbox"})),
    "select": (_LISTS | {"radiogroup"}, frozenset({"radio", "button", "textbox", "searchbox"})),
    "toggle": (_TICKS, frozenset({"button", "option", "clickable", "tab"})),
    "upload": (frozenset({"file"}), frozenset({"button", "clickable", "link", "group"})),
    "submit": (frozenset({"button"}), frozenset({"form", "link", "clickable"})),
    "open": (frozenset({"link", "button", "menuitem", "tab"}), frozenset({"clickable"})),
}

_ACTIVE: Final = _TAKES | _TEXT | _LISTS | {"file", "slider"}
_SIGHT: Final = frozenset({"hover", "focus", "scroll", "drag", "press"})

_STRICT: Final = frozenset(
    {"dialog", "button", "link", "tab", "checkbox", "radio", "switch", "combobox", "textbox"}
)

_NAMED: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    # a person's word: roles it means, roles it may also be used for
    "button": (frozenset({"button"}), frozenset({"link", "clickable", "menuitem", "tab"})),
    "link": (frozenset({"link"}), frozenset({"button", "clickable", "menuitem", "tab"})),
    "tab": (frozenset({"tab"}), frozenset({"link", "button", "clickable"})),
    "menu": (frozenset({"menu"}), frozenset({"navigation", "link", "clickable", "list"})),
    "menuitem": (
        frozenset({"menuitem", "menuitemcheckbox", "menuitemradio"}),
        frozenset({"link", "button", "option", "clickable", "listitem"}),
    ),
    "checkbox": (frozenset({"checkbox", "switch", "menuitemcheckbox"}), frozenset()),
    "radio": (frozenset({"radio", "menuitemradio"}), frozenset()),
    "switch": (frozenset({"switch", "checkbox"}), frozenset({"button"})),
    "field": (_TEXT | _LISTS, frozenset({"file", "slider"})),
    "textbox": (_TEXT, frozenset({"combobox"})),
    "searchbox": (frozenset({"searchbox"}), frozenset({"textbox", "combobox"})),
    "combobox": (_LISTS, frozenset({"button", "textbox"})),
    "option": (frozenset({"option"}), frozenset({"radio", "menuitem", "listitem", "clickable"})),
    "icon": (frozenset({"img"}), frozenset({"button", "link", "clickable"})),
    "image": (frozenset({"img", "figure"}), frozenset({"link", "button"})),
    "row": (frozenset({"row"}), frozenset({"listitem", "article"})),
    "cell": (frozenset({"cell", "gridcell"}), frozenset({"columnheader", "rowheader"})),
    "column": (frozenset({"columnheader"}), frozenset({"cell"})),
    "table": (frozenset({"table", "grid"}), frozenset()),
    "list": (frozenset({"list", "listbox"}), frozenset()),
    "listitem": (frozenset({"listitem"}), frozenset({"row", "article", "option"})),
    "card": (frozenset({"article", "listitem"}), frozenset({"region", "group", "clickable"})),
    "dialog": (frozenset({"dialog", "alertdialog"}), frozenset()),
    "heading": (frozenset({"heading"}), frozenset()),
    "form": (frozenset({"form", "group"}), frozenset({"search"})),
    "section": (
        frozenset({"region", "group", "tabpanel", "article", "form"}),
        frozenset({"complementary", "navigation", "main", "heading"}),
    ),
    "alert": (frozenset({"alert", "status", "alertdialog", "log"}), frozenset({"text", "region"})),
    "slider": (frozenset({"slider"}), frozenset({"spinbutton"})),
    "spinbutton": (frozenset({"spinbutton"}), frozenset({"textbox", "slider"})),
    "text": (frozenset({"text"}), frozenset({"heading", "cell", "status", "listitem"})),
}


def points(candidate: Candidate, verb: str, word: str | None) -> int:
    """Give the points for a candidate's role: +20, 0 or -30.

    Args:
        candidate: of the page.
        verb: of the step.
        word: a person's word for the role (``Target.role``), which then decides alone.
    """
    role = candidate.role
    if word == "menu" and role == "button":
        return OPENS_NOTHING if candidate.expanded is None else FITS
    if word and word != "page":
        fits, near = _NAMED.get(word, (frozenset({word}), frozenset()))
        return FITS if role in fits else 0 if role in near else WRONG
    if verb in _SIGHT:
        return FITS if role in _ACTIVE else 0
    if verb not in _VERBS:
        return 0
    fits, near = _VERBS[verb]
    return FITS if role in fits else 0 if role in near else WRONG


def is_seen_as(candidate: Candidate, word: str | None) -> bool:
    """Tell whether somebody who looks for such an element may take this one for it.

    An element that is clicked or typed into may be found by a loose word; what a claim says is
    there must be there.
    """
    if word == "heading":
        return candidate.role not in _ACTIVE
    if word == "dialog" and candidate.role == "heading":
        return candidate.in_top_dialog
    return word not in _STRICT or points(candidate, "see", word) != WRONG


def is_meant(candidate: Candidate, verb: str, word: str | None) -> bool:
    """Tell whether a candidate's role alone makes it one of those that are meant."""
    if word == "menu" and candidate.role == "button":
        return candidate.expanded is not None or "menu" in candidate.name.lower().split()
    if word and word != "page":
        return candidate.role in _NAMED.get(word, (frozenset({word}), frozenset()))[0]
    if verb in _VERBS:
        return candidate.role in _VERBS[verb][0]
    return candidate.role in _ACTIVE
