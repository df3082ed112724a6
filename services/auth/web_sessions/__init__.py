"""Browsers that are signed in: the session cookie of the pages and of the account routes."""

from __future__ import annotations
