"""Refresh tokens: what renews a session, each good once, and how a stolen one is noticed."""

from __future__ import annotations
