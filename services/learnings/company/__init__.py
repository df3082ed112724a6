"""Learnings that all organizations of the installation share."""

from __future__ import annotations
