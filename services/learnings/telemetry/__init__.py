"""What clients tell of their tools' use, and the figures made of it."""

from __future__ import annotations
