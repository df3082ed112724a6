"""Deciding about suites that are made: what is made of what, and how they are split and called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from services.runs.engine.generating.forms import PASSWORD
from services.runs.engine.generating.models import Account, Case, NothingUsable, SiteMap
from services.runs.engine.generating.openapi import cases_of_api, title_of
from services.runs.engine.generating.prose import cases_of_text
from services.runs.engine.generating.site import ACCOUNT, cases_of_site
from services.runs.engine.generating.writing import runnable, write
from services.runs.generations.models import GenerateRequest, Material
from shared.errors import Invalid

MOST_SUITES: Final = 20
"""Of one plan; what is beyond goes into the last."""

_EXTENSIONS: Final = (".tripwire.yaml", ".tripwire.yml", ".upliftr.yaml", ".upliftr.yml")


def check(request: GenerateRequest) -> None:
    """Check that a request has what its kind needs.

    Raises:
        Invalid: a field is missing.
    """
    if request.kind == "url":
        if request.url is None:
            raise _missing("url", "is needed for kind url")
        return
    if request.base_url is None:
        raise _missing("base_url", f"is needed for kind {request.kind}: what the suite is for")
    if request.url is None and not (request.text or "").strip():
        raise _missing("text", f"or url is needed for kind {request.kind}")


def _missing(field: str, message: str) -> Invalid:
    return Invalid.field("body", field, msg=message, type="missing")


def cases(request: GenerateRequest, material: Material) -> list[Case]:
    """Make the cases that can be run without a model.

    Raises:
        NothingUsable: there are none.
    """
    exhaustive = request.is_exhaustive
    if material.site is not None:
        made = cases_of_site(_site(material), exhaustive=exhaustive, account=_account(request))
    elif request.kind == "openapi":
        made = cases_of_api(material.text, material.base_url, exhaustive=exhaustive)
    else:
        # Who describes an action wants it; documentation only mentions it.
        made = cases_of_text(material.text, spare=request.kind == "docs")
    kept = runnable(made)
    if not kept:
        raise NothingUsable("nothing in it can be carried out and checked")
    return kept


def _site(material: Material) -> SiteMap:
    try:
        return SiteMap.model_validate(material.site)
    except ValidationError:
        raise NothingUsable("what the browser saw of the site could not be read") from None


def _account(request: GenerateRequest) -> Account | None:
    if request.auth is None:
        return None
    return Account(request.auth.username, request.auth.login_path or "")


def name_of(request: GenerateRequest, material: Material) -> str:
    """Name a suite: as its description does, else by its host."""
    if request.kind == "openapi" and (title := title_of(material.text)):
        return title
    return material.name or urlsplit(material.base_url).hostname or "Generated"


def text_of(request: GenerateRequest, material: Material, made: list[Case]) -> str:
    """Write one suite of all cases.

    Raises:
        NothingUsable: no case is left.
    """
    name = name_of(request, material)
    return write(name, material.base_url, made, auth=_suite_auth(request, material))


def _suite_auth(request: GenerateRequest, material: Material) -> Mapping[str, str] | None:
    """Log in before the cases of words; a site's suite has a case for it."""
    if request.auth is None or material.site is not None or request.kind == "openapi":
        return None
    found = {"username": request.auth.username, "password": f"${{{PASSWORD}}}"}
    if "${" in request.auth.username:
        return None
    return found | ({"login_path": request.auth.login_path} if request.auth.login_path else {})


def split(
    request: GenerateRequest, material: Material, made: list[Case]
) -> list[tuple[str, str, bool]]:
    """Split cases by area into suites: of each its name, its text, and whether a plan may run it.

    With an account, the plan logs in before each suite. So no suite does it itself, and the one
    that tries logging in and signing up is not for the plan: it wants a visitor whom nobody knows.

    Raises:
        NothingUsable: no suite can be made.
    """
    logged_in = request.auth is not None and material.site is not None
    if logged_in:
        made = [replace(case, depends_on="", auth={}) for case in made]
    by_area: dict[str, list[Case]] = {}
    for case in made:
        area = case.area if case.area in by_area or len(by_area) < MOST_SUITES else ""
        by_area.setdefault(area or next(reversed(by_area)), []).append(case)
    name = name_of(request, material)
    auth = None if request.kind == "openapi" else _suite_auth(request, material)
    found = []
    for area, own in by_area.items():
        title = f"{name}: {area}"
        text = write(title, material.base_url, own, auth=auth)
        found.append((title, text, not (logged_in and area == ACCOUNT)))
    return found


def file_words(save_as: str) -> str:
    """Give the words of a file's name, without an extension that somebody wrote out."""
    for extension in _EXTENSIONS:
        save_as = save_as.removesuffix(extension)
    return save_as
