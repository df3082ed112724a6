"""The built-in board: what runs found wrong, each kind of failure once."""

from __future__ import annotations
