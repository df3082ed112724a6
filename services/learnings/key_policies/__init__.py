"""What one key may pull and how much it may record."""

from __future__ import annotations
