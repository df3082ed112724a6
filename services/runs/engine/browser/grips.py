"""Holding one element of a reading, at the price of few round trips."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import ElementHandle, Frame, Locator

from services.runs.engine.browser import engine
from services.runs.engine.browser.models import Gone


@dataclass(frozen=True, slots=True)
class Holding:
    """What stands in an element.

    Attributes:
        text: value of a field, else what can be read in the element.
        told: whether the page was told of a change.
        checked: whether a native box is on; None for everything else.
        options: labels of what is chosen in a list.
    """

    text: str
    told: bool
    checked: bool | None
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grip:
    """An element of a reading, in the frame where it was read.

    ``locator`` and ``face`` look it up anew with each call: exactly that element, and where it is
    gone the call fails at once with “Element is not attached” instead of waiting for another.
    """

    frame: Frame
    ref: str

    @property
    def locator(self) -> Locator:
        """The element."""
        return self.frame.locator(engine.selector("held", ref=self.ref))

    @property
    def face(self) -> Locator:
        """The element, or its label where it is only drawn through that."""
        return self.frame.locator(engine.selector("face", ref=self.ref))

    async def handle(self) -> ElementHandle:
        """Give the element for several calls in a row, also after it left the page.

        Raises:
            Gone: it is not there any more.
        """
        found = await engine.find(self.frame, self.ref)
        if found is None:
            raise Gone("the element went away")
        return found

    async def holding(self, seconds: float) -> Holding | None:
        """Read what stands in it; None if it is gone."""
        return await self._ask(seconds)

    async def tell_change(self, seconds: float, only_if: str | None = None) -> Holding | None:
        """Tell the page that the field changed, as leaving the field would; like ``holding``.

        What the page makes of it in tasks of its own shows in a later ``holding`` alone.

        Args:
            seconds: for the answer.
            only_if: the text that must stand in it; otherwise nothing is told.
        """
        return await self._ask(seconds, change={} if only_if is None else {"text": only_if})

    async def _ask(self, seconds: float, **values: object) -> Holding | None:
        found = await engine.ask(self.frame, "holding", seconds, ref=self.ref, **values)
        if "gone" in found:
            return None
        return Holding(
            str(found["text"]), bool(found["told"]), found["checked"], tuple(found["options"])
        )
