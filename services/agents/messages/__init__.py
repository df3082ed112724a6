"""Messages of sessions: posted, listed, counted, cleared; and replies, which the worker adds."""

from __future__ import annotations
