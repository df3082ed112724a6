"""Whether a session still holds that asks for what would outlive it."""

from __future__ import annotations
