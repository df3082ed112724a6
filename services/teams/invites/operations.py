"""Use cases of invites."""

from __future__ import annotations
