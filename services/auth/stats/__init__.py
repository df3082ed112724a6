"""Figures of the installation for its administrators."""

from __future__ import annotations
