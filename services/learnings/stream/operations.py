"""Following an organization's learnings."""

from __future__ import annotations
