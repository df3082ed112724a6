"""Use cases of sharing."""

from __future__ import annotations
