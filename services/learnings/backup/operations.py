"""Backups: presigned addresses, uploads, downloads."""

from __future__ import annotations
