"""Packages for those who hold a license key."""

from __future__ import annotations
