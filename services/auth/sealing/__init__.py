"""Encrypting what must be read back, such as TOTP secrets."""

from __future__ import annotations
