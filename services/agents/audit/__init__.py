"""The audit log: who changed which agent or session, when and from where."""

from __future__ import annotations
