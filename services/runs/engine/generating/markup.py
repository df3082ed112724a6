"""The words of an HTML page as lines: headings with ``#``, list items with ``-``."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_UNSEEN: Final = frozenset(
    {"script", "style", "template", "noscript", "svg", "iframe", "object", "nav", "footer", "head"}
    | {"select", "textarea", "title"}
)
_BLOCKS: Final = frozenset(
    {"p", "div", "section", "article", "main", "ul", "ol", "table", "tr", "pre", "br", "dl", "dt"}
    | {"dd", "blockquote", "header", "figure", "form", "fieldset", "summary", "details"}
)
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_DEEPEST: Final = 1_000
_BEGINNING: Final = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S
)


def is_html(text: str) -> bool:
    """Tell whether a text is a page rather than prose."""
    return _BEGINNING.match(text[:4_000]) is not None


def text_of(page: str) -> str:
    """Give the lines of a page. Takes time linear in its length."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return "".join(reader.pieces)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unseen or tag in _UNSEEN:
            # What is never closed must not grow without end.
            if tag in _UNSEEN and len(self._unseen) < _DEEPEST:
                self._unseen.append(tag)
            return
        if tag in _HEADINGS:
            self.pieces.append("\n\n# ")
        elif tag == "li":
            self.pieces.append("\n- ")
        elif tag in _BLOCKS:
            self.pieces.append("\n")
        elif tag in ("code", "kbd"):
            self.pieces.append("`")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag in self._unseen:
                while self._unseen.pop() != tag:
                    pass
        elif tag in _HEADINGS or tag in _BLOCKS:
            self.pieces.append("\n")
        elif tag in ("code", "kbd"):
            self.pieces.append("`")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(" ".join(data.split("\n")))
