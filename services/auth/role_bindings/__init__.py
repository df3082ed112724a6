"""Who holds which role in which namespace."""

from __future__ import annotations
