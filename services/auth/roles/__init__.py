"""Roles of the agents surface, and what their rules allow."""

from __future__ import annotations
