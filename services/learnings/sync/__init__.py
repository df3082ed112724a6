"""Pushing what an installation learned."""

from __future__ import annotations
