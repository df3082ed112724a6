"""The session worker: jobs, leases, runners, turns, idle timeouts, health (contract, section 6)."""

from __future__ import annotations
