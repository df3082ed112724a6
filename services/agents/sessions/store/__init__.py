"""SQL of sessions: ``moving`` changes their state, ``reading`` finds them."""

from __future__ import annotations
