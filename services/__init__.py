"""The five domain services, each a house of its own with its own schema, key and process."""

from __future__ import annotations
