"""Captures as expressions (contract, section 6.2)."""

from __future__ import annotations

from typing import Final

from services.runs.engine.language.models import CapturePhrase
from services.runs.engine.spec import locating
from services.runs.engine.spec.texts import Texts, Unsaid
from services.runs.engine.spec.typescript import literal

_LOOKS: Final = {
    "id": r"/[A-Za-z]*[-_]?\d[\w-]*/",
    "number": r"/[A-Za-z]*[-_]?\d[\w-]*/",
    "code": r"/\b(?=[\w-]*\d)[\w-]{3,}\b/",
    "total": r"/\d[\d.,]*/",
    "price": r"/\d[\d.,]*/",
    "url": r"/https?:\/\/\S+/",
    "email": r"/[^\s@]+@[^\s@]+\.[A-Za-z]+/",
    "date": r"/\d{1,4}[-./]\d{1,2}[-./]\d{1,4}/",
}


def expression(texts: Texts, phrase: CapturePhrase) -> str:
    """Write what is captured.

    Raises:
        Unsaid: it cannot be said.
    """
    if phrase.kind == "page_url":
        return "page.url()"
    if phrase.kind == "page_title":
        return "await page.title()"
    if phrase.kind == "beside" and phrase.label is not None:
        return f"await {texts.call('beside', 'page', texts.text(phrase.label))}"
    if phrase.kind == "value" and phrase.target is not None:
        return f"await ({locating.field(texts, phrase.target)}).inputValue()"
    if phrase.kind == "text" and phrase.target is not None:
        return f"(await ({locating.seen(texts, phrase.target)}).innerText()).trim()"
    looks = _LOOKS.get(phrase.kind)
    if looks is None:
        raise Unsaid("what is to be captured")
    words = ", ".join(map(literal, phrase.words))
    return f"await {texts.call('near', 'page', f'[{words}]', looks)}"
