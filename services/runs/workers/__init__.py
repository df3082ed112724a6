"""Executing runs: claimed under a lease, each in a process of its own (runs contract, 7.1)."""

from __future__ import annotations
