"""Invites: how machines come to belong to a team."""

from __future__ import annotations
