"""Taking pushes in."""

from __future__ import annotations
