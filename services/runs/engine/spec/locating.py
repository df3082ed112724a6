"""Targets as locators, chosen as the resolver would choose on a page without doubles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from services.runs.engine.language.models import Relation, Target
from services.runs.engine.spec.texts import Texts, Unsaid, is_plain
from services.runs.engine.spec.typescript import literal

FIELDS: Final = frozenset({"field", "textbox", "searchbox", "combobox"})
TOGGLES: Final = frozenset({"checkbox", "radio", "switch"})

_ROLES: Final[Mapping[str, str]] = {
    **{
        role: role
        for role in (
            *("button", "link", "tab", "menuitem", "checkbox", "radio", "switch", "option"),
            *("row", "cell", "table", "list", "listitem", "dialog", "heading", "alert", "slider"),
            *("searchbox", "combobox", "textbox", "menu", "form"),
        )
    },
    "image": "img",
    "column": "columnheader",
}
_REGIONS: Final = {
    "header": "header, [role=banner]",
    "footer": "footer, [role=contentinfo]",
    "sidebar": "aside, [role=complementary]",
    "navigation": "nav, [role=navigation]",
    "main": "main, [role=main]",
    "dialog": "dialog[open], [role=dialog], [role=alertdialog]",
}
_HOLDERS: Final = {
    "row": "tr, [role=row], li",
    "listitem": "li, [role=listitem]",
    "card": "article, li, section, [class*=card]",
    "dialog": _REGIONS["dialog"],
    "form": "form, fieldset, [role=form], [role=group]",
    "section": "section, fieldset, article, details, [role=region], [role=group]",
    "table": "table, [role=table], [role=grid]",
    "list": "ul, ol, [role=list]",
}
_CSS: Final = re.compile(
    r"[#.\[*][\w\-\[*#.]|[a-z][a-z0-9-]*(?:[#.\[:>]|\s*[>+~]\s*\S)|(?:body|main|header|footer|nav|"
    r"form|table|h[1-6])$"
)


def is_css(hint: str) -> bool:
    """Tell a CSS selector from words."""
    return _CSS.match(hint.strip()) is not None


def name_of(texts: Texts, target: Target) -> str:
    """Write a target's name.

    Raises:
        Unsaid: it has none, or one that is not known.
    """
    if not target.text:
        raise Unsaid("no name is given")
    if target.quoted or not is_plain(target.text):
        return texts.call("quoted", texts.text(target.text))
    return texts.call("words", texts.text(target.text))


def place_of(texts: Texts, target: Target) -> str:
    """Write where a target is, as the last argument of a call, or nothing.

    Raises:
        Unsaid: it is seen from another element in a way that no selector says.
    """
    parts = []
    within = _within(texts, target)
    if within:
        parts.append(f"within: (at) => {within}")
    if target.ordinal is not None:
        parts.append(f"nth: {target.ordinal if target.ordinal < 0 else target.ordinal - 1}")
    return f"{{ {', '.join(parts)} }}" if parts else ""


def clickable(texts: Texts, target: Target) -> str:
    """Write the locator of something to be clicked: by its role and name, or by its text."""
    role = _ROLES.get(target.role or "")
    if target.role in FIELDS:
        return field(texts, target)
    if role is not None:
        return _by_role(texts, role, target)
    if not target.text and target.role is not None:
        raise Unsaid(f"which {target.role} is meant")
    return _call(texts, "clickable", target)


def field(texts: Texts, target: Target) -> str:
    """Write the locator of something to be filled in."""
    if target.role == "searchbox" and not target.text:
        return _by_role(texts, "searchbox", target)
    if not target.text:
        raise Unsaid("which field is meant")
    return _call(texts, "field", target)


def toggle(texts: Texts, target: Target) -> str:
    """Write the locator of a checkbox, a radio button or a switch."""
    if target.role in TOGGLES:
        return _by_role(texts, str(target.role), target)
    return _call(texts, "field", target)


def seen(texts: Texts, target: Target) -> str:
    """Write the locator of something to be looked at."""
    role = _ROLES.get(target.role or "")
    if target.role in FIELDS and target.text:
        return field(texts, target)
    if role is not None:
        return _by_role(texts, role, target)
    return _call(texts, "shown", target)


def hinted(texts: Texts, hint: str, target: Target) -> str:
    """Write the locator of what a ``selector_hint`` means: CSS, or words."""
    if is_css(hint):
        return f"await {_first(texts, texts.text(hint))}"
    return seen(texts, target)


def lookup(texts: Texts, target: Target) -> str:
    """Write a function that finds whatever a target may be, for waiting until it is gone."""
    if place_of(texts, target):
        raise Unsaid("gone from where")
    role = _ROLES.get(target.role or "")
    name = f"{name_of(texts, target)}.loose" if target.text else ""
    if role is not None:
        return f"(at) => at.getByRole({literal(role)}{f', {{ name: {name} }}' if name else ''})"
    if not name:
        raise Unsaid("what is to be gone")
    return f"(at) => at.getByText({name})"


def _first(texts: Texts, selector: str) -> str:
    return texts.call("first", "page", "{}", f"(at) => at.locator({selector})")


def _call(texts: Texts, helper: str, target: Target) -> str:
    place = place_of(texts, target)
    arguments = ("page", name_of(texts, target), *([place] if place else []))
    return f"await {texts.call(helper, *arguments)}"


def _by_role(texts: Texts, role: str, target: Target) -> str:
    place = place_of(texts, target)
    name = name_of(texts, target) if target.text else "null"
    arguments = ("page", literal(role), name, *([place] if place else []))
    return f"await {texts.call('element', *arguments)}"


def _within(texts: Texts, target: Target) -> str:
    chain = "at"
    # The widest first: each stands in the next.
    for relation in reversed(target.relations):
        chain += _holder(texts, relation)
    if target.region is not None:
        region = _REGIONS.get(target.region)
        if region is None:
            raise Unsaid(f"where the {target.region} is")
        chain = f"at.locator({literal(region)})" + chain.removeprefix("at")
    return "" if chain == "at" else chain


def _holder(texts: Texts, relation: Relation) -> str:
    inner = relation.target
    if inner.relations or inner.region or inner.ordinal:
        raise Unsaid("a place within a place")
    kind = "row" if relation.kind == "row" else inner.role
    selector = _HOLDERS.get(kind or "")
    if relation.kind not in ("row", "in") or selector is None:
        raise Unsaid(
            f"what is {relation.kind.replace('_', ' ')} something is not said by a selector"
        )
    found = f".locator({literal(selector)})"
    if inner.text:
        name = name_of(texts, inner)
        found += f".filter({{ hasText: {name}.loose }})"
    return found
