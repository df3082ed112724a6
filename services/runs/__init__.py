"""Runs: suites in plain English, run in a real browser; what came of it, and what to do about it.

Owns: suites, plans, runs with their events and reports, resolutions, issues, analytics,
baselines, artifacts.
Says: ``run.queued.v1``, ``run.started.v1``, ``run.finished.v1``, ``run.progressed.v1``,
``issue.closed.v1``, ``settings.changed.v1``, ``erasure.completed.v1``.
Hears: ``account.deleted.v1``, ``organization.deleted.v1``.

``serve`` answers; ``work`` executes runs, each in a process of its own, and starts plans
by their schedules.
"""

from __future__ import annotations
