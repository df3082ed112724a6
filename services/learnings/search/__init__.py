"""Searching an organization's learnings, without a model."""

from __future__ import annotations
