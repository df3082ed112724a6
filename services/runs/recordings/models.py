"""Recordings on the wire (runs contract, section 3.9)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StrictBool, StringConstraints

from shared.api import Answer, Body, Query

LONGEST_PROGRAM: Final = 1024 * 1024
"""Characters of a recording that is pasted as a text."""

Url = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=2000, pattern=r"^(?i:https?)://[^\s/?#\\]+\S*$"
    ),
]
SomeUrl = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
"""What is no address of a site is refused like an address that may not be reached."""

Title = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Slug = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
RecordId = Annotated[str, StringConstraints(min_length=1, max_length=4000)]

Status = Literal["starting", "recording", "stopped", "error"]
"""Of a recording (section 3.9)."""


class Wanted(Body):
    """What is to be made of a recording."""

    title: Title | None = None
    save_as: Slug | None = Field(None, description="Words for the file's name; else not kept.")
    humanize: StrictBool | None = Field(
        None, description="Whether a model may phrase the steps; true unless said otherwise."
    )


class ConvertRequest(Wanted):
    """A recording that somebody has already."""

    actions: (
        list[Any] | dict[str, Any] | Annotated[str, StringConstraints(max_length=LONGEST_PROGRAM)]
    ) = Field(
        repr=False,
        description="A list of {type,selector?,value?,url?,text?}, a recording of Chrome's "
        "DevTools Recorder, or what playwright codegen writes.",
    )
    base_url: Url | None = Field(
        None, description="May be left out where the recording opens an address."
    )


class Recorded(Answer):
    """A suite made of a recording; secrets are masked in ``actions``."""

    yaml: str
    actions: list[dict[str, Any]]
    saved_as: str | None = None
    warnings: list[str] = []


class StartRequest(Body):
    """Where a recording begins, and whether on the host's display."""

    base_url: SomeUrl
    mode: Literal["headed", "remote"] | None = Field(
        None, description="headed unless said otherwise: it needs a display on the host."
    )


class Started(Answer):
    """A recording that begins."""

    record_id: str
    live_url: str = Field(
        description="A page on which the recording is seen and acted in; its fragment is a secret."
    )


class StopRequest(Wanted):
    """Which recording ends."""

    record_id: RecordId


class RecordingState(Answer):
    """How a recording stands."""

    status: Status
    action_count: int
    base_url: str
    error: str | None


class PictureQuery(Query):
    """Which picture is known already."""

    after: int = Field(0, ge=0)
    wait: float = Field(
        0, ge=0, le=10, description="Seconds for which a newer one is waited for, if need be."
    )


class Seen(Answer):
    """The newest picture of a remote browser, where there is one that is newer."""

    n: int
    url: str
    jpeg: str | None = Field(None, description="Base64 of a JPEG; null: nothing new.")
    width: int
    height: int


class Input(Body):
    """What a person does to a remote browser."""

    do: Literal[
        "click", "double_click", "right_click", "scroll", "key", "text", "goto", "back", "reload"
    ]
    x: float = Field(0, ge=0, le=10_000, description="Of the picture, in CSS pixels.")
    y: float = Field(0, ge=0, le=10_000)
    count: int = Field(
        1, ge=1, le=3, description="Which click of a series this is: 2 makes the last a double one."
    )
    dx: float = Field(0, ge=-10_000, le=10_000)
    dy: float = Field(0, ge=-10_000, le=10_000)
    key: str = Field("", max_length=40, description="As Playwright names keys.")
    text: str = Field("", max_length=5000, repr=False)
    url: str = Field("", max_length=2000)


class Inputs(Body):
    """What a person does, in its order."""

    inputs: list[Input] = Field(min_length=1, max_length=100)


class LiveSeen(Answer):
    """What a page of a recording shows next; null is what has not changed."""

    n: int
    status: Status
    error: str | None = None
    action_count: int | None = None
    url: str | None = None
    jpeg: str | None = None
    width: int = 0
    height: int = 0
    ticket: str | None = Field(
        None, repr=False, description="Takes the place of the one that was shown."
    )


class Done(Answer):
    """It was passed on."""

    ok: bool = True
