"""Large files in an object store."""

from __future__ import annotations
