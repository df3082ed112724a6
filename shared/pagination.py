"""Paging: the forms that the surfaces' lists share.

Lists are ordered by ``(created_at, id)``; page numbers and offsets are laid on top of that order.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from pydantic import AfterValidator, Field

from shared.api import Answer, Query

ItemT = TypeVar("ItemT")

TOTAL_CAP: Final = 10_000
"""Filtered totals are counted up to here, so that a count never costs more than a page."""


MOST_ITEMS: Final = 500
"""Of one answer on the runs surface (section 2)."""

OFFSET_CAP: Final = 10_000_000


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


ItemLimit = Annotated[int, Field(ge=0), AfterValidator(lambda value: min(value, MOST_ITEMS))]
"""How many items an answer of the runs surface may have; more than the most means the most."""


class OffsetQuery(Query):
    """``limit`` and ``offset``, as on the runs surface (section 2)."""

    limit: ItemLimit = 50
    offset: Annotated[int, Field(ge=0, le=OFFSET_CAP)] = 0


class OffsetPage(Answer, Generic[ItemT]):
    """``{items, total, limit, offset}``, all four always (runs surface, section 2)."""

    items: list[ItemT]
    total: int
    limit: int
    offset: int


MOST_IN_ARRAY: Final = 1000
"""Items of a bare array that was asked for without paging (agents surface, section 2)."""

LARGEST_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 20


class ArrayQuery(Query):
    """``page`` and ``limit``, both optional, as on the agents surface (section 2)."""

    page: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    limit: Annotated[int | None, Field(ge=1, le=LARGEST_LIMIT)] = None

    @property
    def is_paged(self) -> bool:
        """Whether a page was asked for, and not the whole."""
        return self.page is not None or self.limit is not None

    @property
    def most(self) -> int:
        """How many items the answer may have."""
        return self.limit or (DEFAULT_LIMIT if self.is_paged else MOST_IN_ARRAY)

    @property
    def offset(self) -> int:
        """How many items stand before the answer's first."""
        return ((self.page or 1) - 1) * self.most


def array_headers(path: str, query: ArrayQuery, total: int, shown: int) -> dict[str, str]:
    """Write ``X-Total-Count`` and ``Link`` (RFC 8288) of a bare array, with the query's filters.

    Args:
        path: of the list.
        query: what was asked.
        total: items over all pages, counted up to ``TOTAL_CAP``; the last page is then unknown.
        shown: items of this answer.
    """
    filters = query.model_dump(exclude={"page", "limit"}, exclude_none=True)
    limit = query.most if query.is_paged else LARGEST_LIMIT
    is_capped = total >= TOTAL_CAP
    pages = max(1, -(-total // limit))
    page = query.offset // limit + 1
    after = page + max(1, query.most // limit)
    numbers = {"first": 1}
    if page > 1:
        numbers["prev"] = page - 1 if is_capped else min(page - 1, pages)
    if after <= pages or (is_capped and shown == query.most):
        numbers["next"] = after
    if not is_capped:
        numbers["last"] = pages
    links = [
        f'<{path}?{urlencode(filters | {"page": number, "limit": limit})}>; rel="{name}"'
        for name, number in numbers.items()
    ]
    return {"x-total-count": str(total), "link": ", ".join(links)}
