"""Namespaces in which there is something: auth hears of each once."""

from __future__ import annotations
