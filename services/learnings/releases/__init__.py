"""Releases of the client, signed."""

from __future__ import annotations
