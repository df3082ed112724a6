"""What is asked of an export."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from shared.api import Query


def _in_utc(value: datetime) -> datetime:
    """Read a time without a zone as UTC, and keep to the years that PostgreSQL shares."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999") from None


class ExportQuery(Query):
    """The filter of an export."""

    updated_since: Annotated[datetime, AfterValidator(_in_utc)] | None = Field(
        None, description="Only what was recorded or changed since."
    )
