"""What came of cases over the history of runs: who is flaky, who fails, who is slow."""

from __future__ import annotations
