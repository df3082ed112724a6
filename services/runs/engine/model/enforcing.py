"""What a model may have done to a page, whatever it says: the engine asks before each action."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urljoin, urlsplit

from services.runs.engine.model.models import Action, Choice, Named, StepQuestion

KEYS: Final = frozenset(
    (
        *("Enter", "Tab", "Shift+Tab", "Escape", "Space", "Backspace", "Delete", "Control+A"),
        *("Home", "End", "PageUp", "PageDown"),
        *("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"),
    )
)
"""The keys that a model may press: none of them types text, closes or leaves."""

_PORTS: Final = {"http": 80, "https": 443}
_ELSEWHERE: Final = "leads away from the tested site"


def origin_of(url: str) -> str | None:
    """Give ``scheme://host:port`` of an http or https address; None of any other."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return f"{parts.scheme}://{parts.hostname}:{port or _PORTS[parts.scheme]}"


def allowed(action: Action, question: StepQuestion, origins: Collection[str]) -> str | None:
    """Say why an action is refused; None: it may be done.

    Args:
        action: as proposed.
        question: what was asked; only its elements and values exist.
        origins: the tested ones, as ``origin_of`` writes them.
    """
    choice = _choice(action.ref, question.choices)
    if action.ref and choice is None:
        return "no such element was shown"
    if action.do == "open":
        return None if _leads_to(action.value, question.url, origins) else _ELSEWHERE
    if action.do == "press":
        return None if action.value in KEYS else "no key that may be pressed"
    if action.do not in ("click", "fill", "select"):
        return "not in the vocabulary"
    if choice is None:
        return "no element is named"
    if action.do == "click":
        return _click(choice, question.url, origins)
    if not choice.is_editable:
        return "nothing can be entered there"
    return None if template_of(action, question) is not None else "not a value of the step"


def template_of(action: Action, question: StepQuestion) -> str | None:
    """Give the template of what is to be entered; None: it does not come from the step."""
    for named in question.values:
        if action.value == named.name:
            return named.template
    words = re.escape(action.value)
    if re.search(rf"(?<!\w){words}(?!\w)", question.step) and "\u2022" not in action.value:
        return action.value
    return None


def values_of(step: str, *, secret: bool = False, mask: str = "\u2022" * 4) -> tuple[Named, ...]:
    """Find the values of a step: its placeholders, and what stands in quotes.

    Args:
        step: its template.
        secret: whether a model may see what stands in quotes.
        mask: shown instead.
    """
    found: dict[str, str] = {}
    for match in _VALUE.finditer(step):
        template = match[0] if match[0].startswith("${") else next(filter(None, match.groups()))
        is_placeholder = _PLACEHOLDER.fullmatch(template) is not None
        found[template] = mask if secret and not is_placeholder else match[0]
    return tuple(
        Named(f"v{number}", shown, template)
        for number, (template, shown) in enumerate(found.items(), 1)
    )


def hidden(step: str, mask: str = "\u2022" * 4) -> str:
    """Give a secret step as a model may see it: without what stands in quotes."""
    return _VALUE.sub(lambda found: found[0] if found[0].startswith("${") else mask, step)


_PLACEHOLDER: Final = re.compile(r"\$\{[^{}]{1,100}\}")
_VALUE: Final = re.compile(
    r"""\$\{[^{}]{1,100}\}|"([^"]{1,2000})"|(?<!\w)'([^']{1,2000})'(?!\w)"""
    r"""|\u201c([^\u201d]{1,2000})\u201d|`([^`]{1,2000})`"""
)


def _choice(ref: str, choices: Sequence[Choice]) -> Choice | None:
    return next((each for each in choices if each.ref == ref), None)


def _click(choice: Choice, url: str, origins: Collection[str]) -> str | None:
    if not choice.href or choice.href.lstrip().lower().startswith(("#", "javascript:")):
        return None
    return None if _leads_to(choice.href, url, origins) else _ELSEWHERE


def _leads_to(target: str, url: str, origins: Collection[str]) -> bool:
    # Browsers read a backslash as a slash and leave out tabs and line ends.
    plain = re.sub(r"[\t\r\n]", "", target.strip()).replace("\\", "/")
    try:
        return origin_of(urljoin(url, plain)) in origins
    except ValueError:
        return False
