"""Publishing releases."""

from __future__ import annotations
