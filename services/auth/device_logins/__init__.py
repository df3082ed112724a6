"""Logins that a person approves in a browser for a device that has none (RFC 8628)."""

from __future__ import annotations
