"""Use cases of versions."""

from __future__ import annotations
