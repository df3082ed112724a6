"""Taking in what users write."""

from __future__ import annotations
