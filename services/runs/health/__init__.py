"""The surface's public health checks."""

from __future__ import annotations
