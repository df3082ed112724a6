"""The events that each service says, one module per publisher."""

from __future__ import annotations
