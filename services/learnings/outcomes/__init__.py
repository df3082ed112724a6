"""What came of work that learnings were used in, and the score that follows."""

from __future__ import annotations
