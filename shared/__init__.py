"""Plumbing that two or more processes must agree on, and the event contracts; nothing else."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""The version of Guildhall, one for all its processes."""
