"""One look at the page: what a check's words mean there, and what was seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.async_api import ElementHandle, Error, Frame

from services.runs.engine.actions.acting import bounded
from services.runs.engine.actions.models import Scene
from services.runs.engine.browser.models import Gone, Reading
from services.runs.engine.browser.stage import Stage
from services.runs.engine.checks.models import Undecidable
from services.runs.engine.grammar.models import Check
from services.runs.engine.language import (
    describe_target,
    fill_target,
    is_css,
    parse_target,
)
from services.runs.engine.language.models import Target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Ambiguous, Candidate, Choice, Wanted

LONGEST: Final = 500_000
"""Characters of a page that are read; what is absent from so many may stand behind them."""

MOST_FRAMES: Final = 20
TOUCH: Final = 2.0
"""Seconds for one question to the browser."""

REGIONS: Final[Mapping[str, str]] = {
    "header": "header, [role=banner]",
    "footer": "footer, [role=contentinfo]",
    "sidebar": "aside, [role=complementary], [class~=sidebar]",
    "navigation": "nav, [role=navigation]",
    "main": "main, [role=main]",
    "dialog": "dialog[open], [role=dialog], [role=alertdialog]",
}

_BY_HAND: Final = ("click", "fill", "toggle", "select")
_CONTROLLED: Final[Mapping[str, tuple[str, ...]]] = {
    "value": ("fill", "select"),
    "checked": ("toggle",),
    "enabled": _BY_HAND,
    "disabled": _BY_HAND,
}
"""Kinds that are about controls, and what would be done to those."""

_LISTENED: Final = frozenset({"alert", "status"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look gave.

    Attributes:
        holds: whether it is so.
        observed: for people.
        is_there: False where the element that it is about is missing, so that neither the check
            nor its opposite holds.
        trouble: why it cannot be told, if it stays so.
    """

    holds: bool
    observed: str
    is_there: bool = True
    trouble: Undecidable | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """An element of the page.

    Attributes:
        name: for people.
        handle: to ask the browser by.
        candidate: where words led to it.
        css: where a selector did.
        frame: of a selector.
    """

    name: str
    handle: ElementHandle
    candidate: Candidate | None = None
    css: str | None = None
    frame: Frame | None = None


class Missing(Exception):
    """The hinted element is not there; ``seen`` says what that means."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        super().__init__(seen.observed)


@dataclass(slots=True)
class Eye:
    """A check in front of a page.

    Attributes:
        stage: the page.
        scene: of the case.
        check: what is asked.
        is_hasty: whether only what is there at once counts.
    """

    stage: Stage
    scene: Scene
    check: Check
    is_hasty: bool = False
    _reading: Reading | None = field(default=None, init=False)

    def fill(self, template: Any) -> str:
        """Put values into a parameter."""
        return self.scene.variables.fill(str(template))

    def text(self, name: str) -> str | None:
        """Give a parameter with its values put in; None if it was not given."""
        value = self.check.parameters.get(name)
        return None if value is None else self.fill(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Give a parameter that is a list."""
        value = self.check.parameters.get(name)
        if value is None:
            return ()
        many: Sequence[Any] = (value,) if isinstance(value, str) else tuple(value)
        return tuple(self.fill(one) for one in many)

    def number(self, name: str) -> int | None:
        """Give a parameter that is a whole number, perhaps by a variable.

        Raises:
            Undecidable: it became none.
        """
        text = self.text(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            raise Undecidable("not_readable", f"`{name}` is no whole number: {text[:80]}") from None

    @property
    def hint(self) -> str | None:
        """The parameter ``selector_hint`` as its author wrote it."""
        value = self.check.parameters.get("selector_hint")
        return None if value is None else str(value)

    def target(self) -> Target | None:
        """Give the hint's words; None where it is a selector or was not given."""
        if self.hint is None or is_css(self.hint):
            return None
        return fill_target(parse_target(self.hint), self.scene.variables.fill)

    def css(self) -> str | None:
        """Give the hint's selector, a region's too; None where it is words for an element.

        Raises:
            Undecidable: it is none that a page knows.
        """
        if self.hint is None:
            return None
        if is_css(self.hint):
            css = self.fill(self.hint)
            if ">>" in css:
                raise Undecidable("not_readable", f"“{css[:200]}” is no CSS selector.")
            return css
        target = self.target()
        if target is not None and target.region and not target.text and target.role is None:
            return REGIONS.get(target.region)
        return None

    def hint_in_words(self) -> str:
        """Say for people what the hint means."""
        target = self.target()
        return self.fill(self.hint or "") if target is None else describe_target(target)

    @property
    def is_about_notices(self) -> bool:
        """Whether the hint means toasts and alerts in general."""
        target = self.target()
        return target is not None and target.role in _LISTENED and not target.relations

    async def reading(self) -> Reading:
        """Read the page; the same for all of one look."""
        if self._reading is None:
            self._reading = await self.stage.read()
        return self._reading

    def again(self) -> None:
        """Begin another look."""
        self._reading = None

    async def spot(self) -> Spot:
        """Find the hinted element.

        Raises:
            Missing: it is not there, or several are.
        """
        css = self.css()
        if css is not None:
            return await self._selected(css)
        target = self.target()
        assert target is not None  # who asks has looked that there is a hint
        return await self.described(target, is_control=self.check.kind in _CONTROLLED)

    async def described(self, target: Target, *, is_control: bool = False) -> Spot:
        """Find the element that words mean; ``is_control``: not a text of the same words.

        Raises:
            Missing: it is not there, or several are.
        """
        what = describe_target(target)
        candidate = self._control(await self.reading(), target) if is_control else None
        if candidate is None:
            outcome = choose((await self.reading()).candidates, Wanted(target, "see"))
            if isinstance(outcome, Ambiguous):
                raise Missing(_ambiguous(what, outcome))
            candidate = outcome.candidate if isinstance(outcome, Choice) else outcome.disabled
        if candidate is None:
            raise Missing(Seen(False, f"{what} was not found", False))
        try:
            handle = await self.stage.element(candidate)
        except Gone:
            raise Missing(Seen(False, f"{what} was not found", False)) from None
        return Spot(what, handle, candidate)

    def _control(self, reading: Reading, target: Target) -> Candidate | None:
        """Find a field, switch or button, also one that cannot be used now."""
        for verb in _CONTROLLED.get(self.check.kind, _BY_HAND):
            outcome = choose(reading.candidates, Wanted(target, verb))
            if isinstance(outcome, Ambiguous):
                continue
            found = outcome.candidate if isinstance(outcome, Choice) else outcome.disabled
            if found is not None and found.clickable:
                return found
        return None

    async def _selected(self, css: str) -> Spot:
        for frame, handle in await self.all_of(css):
            if await bounded(handle.is_visible(), TOUCH):
                return Spot(f"“{css}”", handle, None, css, frame)
        raise Missing(Seen(False, f"nothing visible matches “{css[:200]}”", False))

    async def all_of(self, css: str, most: int = 1_000) -> list[tuple[Frame, ElementHandle]]:
        """Give what a selector matches, over all frames.

        Raises:
            Undecidable: it is no selector.
        """
        found: list[tuple[Frame, ElementHandle]] = []
        for frame in self.stage.page.frames[:MOST_FRAMES]:
            if frame.is_detached():
                continue
            try:
                handles = await bounded(frame.query_selector_all(f"css={css}"), TOUCH)
            except Gone:
                continue
            except Error as error:
                if "selector" in error.message or "is not a valid" in error.message:
                    message = f"“{css[:200]}” is no CSS selector."
                    raise Undecidable("not_readable", message) from error
                continue
            found += [(frame, handle) for handle in handles[: most - len(found)]]
        return found

    async def region(self, name: str) -> list[ElementHandle]:
        """Give the elements that are a region of the page."""
        return [handle for _, handle in await self.all_of(REGIONS[name], 20)]

    async def text_of(self, spot: Spot) -> str:
        """Give what can be read in an element, of a field what stands in it."""
        if spot.candidate is not None:
            if spot.candidate.editable or spot.candidate.tag == "select":
                return shown_value(spot.candidate)
            return await self.stage.visible_text(candidate=spot.candidate)
        assert spot.css is not None  # it was found either way
        return await self.stage.visible_text(css=spot.css)

    async def notices(self) -> list[str]:
        """Give what toasts and alerts have said since the case began, also if they vanished."""
        return [notice.text for notice in await self.stage.notices(self.scene.mark)]


def _ambiguous(what: str, outcome: Ambiguous) -> Seen:
    count = len(outcome.candidates)
    trouble = Undecidable(
        "ambiguous",
        f"{count} elements could be meant by {what}; say which.",
        outcome.candidates,
    )
    return Seen(False, f"several elements are {what}", False, trouble)


Look = Callable[[Eye], Awaitable[Seen]]


def shown_value(candidate: Candidate) -> str:
    """Give what stands in a field, of a password no more than that."""
    return candidate.value


def squeezed(text: str) -> str:
    """Collapse whitespace, on both sides of every comparison (contract 4.2)."""
    return " ".join(text.split())


def short(text: str, most: int = 300) -> str:
    """Give at most as much of a page's text as a report shows."""
    text = squeezed(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def quoted(text: str) -> str:
    """Put a text in quotes for people, shortened."""
    return f"“{short(text)}”"


def compare(eye: Eye, text: str, *, is_exact: bool = False) -> bool:
    """Tell whether a text is as ``equals``, ``contains``, ``starts_with`` and ``ends_with`` say."""
    said = text if is_exact else squeezed(text)

    def wanted(name: str) -> str | None:
        value = eye.text(name)
        return value if value is None or is_exact else squeezed(value)

    equals, contains = wanted("equals"), wanted("contains")
    starts, ends = wanted("starts_with"), wanted("ends_with")
    return (
        (equals is None or said == equals)
        and (contains is None or contains in said)
        and (starts is None or said.startswith(starts))
        and (ends is None or said.endswith(ends))
    )


_WORDS: Final = {
    "equals": "is",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "path_is": "has the path",
}


def comparison(eye: Eye) -> str:
    """Say for people what ``compare`` asks."""
    parts = [
        f"{word} {quoted(text)}"
        for name, word in _WORDS.items()
        if (text := eye.text(name)) is not None
    ]
    return " and ".join(parts)
