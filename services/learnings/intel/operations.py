"""Answering pulls."""

from __future__ import annotations
