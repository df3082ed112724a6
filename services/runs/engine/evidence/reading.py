"""Reports as they were stored, made readable again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from services.runs.engine.evidence.models import Report

_REPORT: Final[TypeAdapter[Report]] = TypeAdapter(Report)


def read(report: Report | Mapping[str, Any]) -> Report:
    """Give a report; what it holds beyond the contract is left out.

    Raises:
        ValueError: it is no report.
    """
    if isinstance(report, Report):
        return report
    try:
        return _REPORT.validate_python(report)
    except (ValidationError, RecursionError):
        raise ValueError("not a report") from None
