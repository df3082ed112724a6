"""Memberships: which machines belong to which teams, and how that ends."""

from __future__ import annotations
