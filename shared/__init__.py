"""Plumbing that two or more processes must agree on, and the event contracts; nothing else."""

from __future__ import annotations
