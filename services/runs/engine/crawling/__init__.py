"""Looking at a site: what its pages say, and what can be filled in."""

from __future__ import annotations

from services.runs.engine.crawling.crawler import crawl

__all__ = ["crawl"]
