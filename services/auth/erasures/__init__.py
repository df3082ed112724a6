"""Taking one's data along, and being forgotten by every service."""

from __future__ import annotations
