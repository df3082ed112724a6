"""Accounts: what teams tells people and auth of the teams behind an account's machines."""

from __future__ import annotations
