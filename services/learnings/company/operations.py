"""Learnings that all organizations share."""

from __future__ import annotations
