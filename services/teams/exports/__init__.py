"""A team as a bundle of files, in the conventions of each platform."""

from __future__ import annotations
