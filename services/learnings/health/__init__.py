"""The surface's public health check."""

from __future__ import annotations
