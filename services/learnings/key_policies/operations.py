"""What one key may pull and record."""

from __future__ import annotations
