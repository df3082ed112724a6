"""Knowledge as Markdown, drawn so that nothing of it runs, loads or hides.

HTML and entities stand as text. Pictures stand as links. Links lead to ``http``, ``https`` and
``mailto`` alone and tell nobody where they were. Reference definitions stand as text, because they
could hide what agents read. What would take too long to draw stands as it was written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from services.teams.pages.rules.texts import seen

LONGEST_PIECE: Final = 16_000
"""Characters between two headings that are drawn; more stand as they were written."""

LONGEST_TIME: Final = 1.0
"""Seconds after which the rest stands as it was written."""

_HEADING: Final = re.compile(r"#{1,6}[ \t]")
_FENCE: Final = re.compile(r"[ ]{0,3}(```|~~~)")
_SCHEMES: Final = frozenset(("http", "https", "mailto"))


def drawn(text: str) -> Markup:
    """Draw a text, whatever it is, as HTML that is safe to show."""
    until = time.monotonic() + LONGEST_TIME
    return Markup().join(_drawn(seen(piece), until) for piece in _pieces(text))


def _drawn(piece: str, until: float) -> Markup:
    if len(piece) <= LONGEST_PIECE and time.monotonic() < until:
        try:
            return Markup(_MARKDOWN.render(piece))  # noqa: S704 - it escapes all that it is given
        except RecursionError:
            pass
    return Markup("<pre>{}</pre>\n").format(piece)


def _pieces(text: str) -> Iterator[str]:
    """Cut a text before its headings."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and lines and _HEADING.match(line):
            yield "".join(lines)
            lines = []
        lines.append(line)
    if lines:
        yield "".join(lines)


def _may_be_followed(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and (parts.scheme == "mailto" or bool(parts.netloc))


class _Safe(MarkdownIt):
    """Follows addresses that lead to people and sites alone."""

    def validateLink(self, url: str) -> bool:
        return _may_be_followed(url)


def _link_open(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    href = escape(tokens[index].attrs["href"])
    return f'<a href="{href}" rel="noopener noreferrer nofollow">'


def _cell_open(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    # Without its alignment, which would be a style that our policy refuses.
    return f"<{tokens[index].tag}>"


def _code_block(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    return f"<pre>{escape(tokens[index].content)}</pre>\n"


def _made() -> MarkdownIt:
    made = _Safe("commonmark", {"html": False})
    made.enable("table").disable(["image", "reference", "entity", "html_block", "html_inline"])
    made.add_render_rule("link_open", _link_open)
    made.add_render_rule("th_open", _cell_open)
    made.add_render_rule("td_open", _cell_open)
    made.add_render_rule("fence", _code_block)
    made.add_render_rule("code_block", _code_block)
    return made


_MARKDOWN: Final = _made()
