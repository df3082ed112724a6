"""Measurements, run by hand: they print figures and decide nothing."""

from __future__ import annotations
