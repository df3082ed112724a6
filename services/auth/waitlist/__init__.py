"""People who wait for an account, and letting them in."""

from __future__ import annotations
