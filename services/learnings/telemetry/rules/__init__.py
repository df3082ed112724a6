"""Decisions about telemetry that need no database, by topic."""

from __future__ import annotations
