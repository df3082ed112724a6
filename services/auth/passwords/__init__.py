"""Passwords: argon2id, off the event loop and bounded."""

from __future__ import annotations
