"""Learnings as they come, server-sent."""

from __future__ import annotations
