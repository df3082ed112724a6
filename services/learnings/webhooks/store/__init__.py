"""The SQL of webhooks, by topic."""

from __future__ import annotations
