"""Clients' backups, encrypted at rest."""

from __future__ import annotations
