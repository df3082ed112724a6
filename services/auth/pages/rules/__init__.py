"""How pages look, where they lead, and what they say of errors."""

from __future__ import annotations
