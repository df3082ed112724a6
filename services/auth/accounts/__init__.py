"""Accounts: registering, verifying an address, and who am I."""

from __future__ import annotations
