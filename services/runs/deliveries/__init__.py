"""Telling an organization's channels of runs that have ended (runs contract, section 11)."""

from __future__ import annotations
