"""The surface's public health check and version."""

from __future__ import annotations
