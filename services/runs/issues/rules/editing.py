"""What a person's change of an issue comes to, and what a search looks into."""

from __future__ import annotations

from services.runs.issues.models import Editable, IssueChange, key_of


def changes_of(issue: Editable, change: IssueChange) -> dict[str, tuple[str, str]]:
    """Give what differs: by field what was and what is to be."""
    wanted = change.model_dump(exclude_none=True)
    return {
        field: (getattr(issue, field), value)
        for field, value in wanted.items()
        if getattr(issue, field) != value
    }


def words_of(number: int, title: str, suite_id: str, case_id: str, file: str) -> str:
    """Give what a search looks into, case-folded, a line for each part."""
    return "\n".join((key_of(number), title, suite_id, case_id, file)).casefold()
