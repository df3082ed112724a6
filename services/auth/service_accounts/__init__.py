"""Service accounts of the agents surface, and their logins."""

from __future__ import annotations
