"""SQL of the worker: ``leases``, ``jobs``, ``results`` and ``overdue``."""

from __future__ import annotations
