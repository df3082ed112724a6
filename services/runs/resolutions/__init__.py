"""Where steps found their elements, what people refused of it, and records of what was healed."""

from __future__ import annotations
