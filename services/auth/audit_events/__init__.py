"""The audit log: who did what, from where; written once, never changed."""

from __future__ import annotations
