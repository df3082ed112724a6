"""Licenses and entitlements."""

from __future__ import annotations
