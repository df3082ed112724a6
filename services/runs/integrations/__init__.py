"""What an organization has told of other systems: trackers, logs, channels, a model's key."""

from __future__ import annotations
