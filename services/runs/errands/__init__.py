"""Errands: durable jobs of a browser that are no runs; they have no address of their own."""

from __future__ import annotations
