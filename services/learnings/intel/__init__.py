"""Pulling what the team learned."""

from __future__ import annotations
