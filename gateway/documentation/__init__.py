"""The gateway's own pages.

pages: front page, health and the way to the others. swagger: Swagger UI and the OpenAPI document.
texts: the front page, the guide, the terms and privacy, for people.
"""

from __future__ import annotations
