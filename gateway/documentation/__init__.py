"""The gateway's own pages.

pages: front page, health and the way to the others. swagger: Swagger UI and the OpenAPI document.
"""

from __future__ import annotations
