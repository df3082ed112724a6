"""The SQL of telemetry, by topic."""

from __future__ import annotations
