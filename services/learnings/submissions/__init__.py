"""What users write to the people who run the platform."""

from __future__ import annotations
