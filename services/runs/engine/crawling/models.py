"""What a crawl is asked for."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

AGENT: Final = "guildhall"
"""The name by which a site's robots.txt may speak of us."""


class Auth(BaseModel):
    """An account that is logged in before the pages are looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    username: str
    password: str = Field(repr=False)
    login_path: str | None = None


class CrawlOrder(BaseModel):
    """What is to be looked at.

    Attributes:
        url: where it begins; a page within the site will do.
        auth: logged in first.
        pages: that are read at most.
        depth: links from the first page to the last.
        seconds: for all of it; what was seen by then is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(max_length=2000)
    auth: Auth | None = None
    pages: int = Field(default=25, ge=1, le=200)
    depth: int = Field(default=3, ge=0, le=10)
    seconds: float = Field(default=90.0, gt=0, le=600)
