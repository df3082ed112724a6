"""What suites are made of, on the wire (runs contract, section 3.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StrictBool, StringConstraints, model_validator

from shared.api import Answer, Body

GenerateKind = Literal["url", "docs", "text", "openapi"]

LONGEST_URL: Final = 2_000
LONGEST_TEXT: Final = 2 * 1024 * 1024
"""Characters of pasted text; the body's own limit counts bytes."""

Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_URL)]
"""What is no address of a site is refused like an address that may not be reached."""

Slug = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
LoginPath = Annotated[str, StringConstraints(max_length=2000, pattern=r"^(/[^/\\\s][^\\\s]*|/)?$")]
"""A path of the application: nothing that names another host."""


class Login(Body):
    """A test account of the application; its password is used, and kept nowhere."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=2000)] = Field(repr=False)
    login_path: LoginPath | None = Field(None, description="A path, like /login.")


class GenerateRequest(Body):
    """What a suite is to be made of.

    ``url`` is the site that is looked at for kind ``url``, else a document that is fetched;
    ``base_url`` is what the suite is for.
    """

    kind: GenerateKind = Field(description="May be left out where there is a url: then it is url.")
    url: Url | None = None
    base_url: Url | None = None
    text: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] | None = None
    auth: Login | None = None
    exhaustive: StrictBool | None = Field(
        None, description="With what must be refused, and edges; true unless said otherwise."
    )
    save_as: Slug | None = Field(None, description="Words for the file's name; else not kept.")

    @model_validator(mode="before")
    @classmethod
    def _has_a_kind(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("kind") is None and value.get("url") is not None:
            return {**value, "kind": "url"}
        return value

    @property
    def is_exhaustive(self) -> bool:
        """Whether what must be refused is wanted, too."""
        return self.exhaustive is not False


class Generated(Answer):
    """A suite's text; ``saved_as`` is its file where it was kept."""

    yaml: str
    saved_as: str | None = None


class GeneratedPlan(Answer):
    """A plan of the suites that were kept."""

    plan_id: str
    plan_name: str
    suites: list[str]


@dataclass(frozen=True, slots=True, repr=False)
class Material:
    """What cases are made of.

    Attributes:
        name: of the application or document; may be empty.
        base_url: what the cases are for.
        text: a document's, empty for a site.
        site: what a crawl saw, as its map has it; None for a document.
    """

    name: str
    base_url: str
    text: str = ""
    site: dict[str, Any] | None = None
