"""Agents: what somebody may talk to in a session."""

from __future__ import annotations
