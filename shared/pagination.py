"""Paging: the forms that the surfaces' lists share.

Lists are ordered by ``(created_at, id)``; page numbers and offsets are laid on top of that order.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import Field

from shared.api import Answer, Query

ItemT = TypeVar("ItemT")

TOTAL_CAP: Final = 10_000
"""Filtered totals are counted up to here, so that a count never costs more than a page."""


class PageQuery(Query):
    """``page`` and ``page_size``, as on the learnings surface (section 2)."""

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def offset(self) -> int:
        """How many items stand before this page."""
        return (self.page - 1) * self.page_size


class Page(Answer, Generic[ItemT]):
    """``{items, total, page, page_size}``, all four always (learnings surface, section 2)."""

    items: list[ItemT]
    total: int
    page: int
    page_size: int


def page_json(items: str, total: int, query: PageQuery) -> bytes:
    """Build the envelope around a JSON array that the database already wrote.

    Args:
        items: a JSON array as text.
        total: items over all pages.
        query: what was asked.
    """
    tail = f',"total":{total},"page":{query.page},"page_size":{query.page_size}}}'
    return ('{"items":' + items + tail).encode()


def page_of(items: list[Any], total: int, query: PageQuery) -> Page[Any]:
    """Wrap the items of one page."""
    return Page(items=items, total=total, page=query.page, page_size=query.page_size)
