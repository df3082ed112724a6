from __future__ import annotations

from pathlib import Path

from guildhall.processes import settings_class
from guildhall.settings import CommandSettings
from guildhall.settings_page import page
from shared.settings import SERVICES, Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run `make settings-page`"


def test_every_setting_of_every_process_is_on_it() -> None:
    text = page()
    classes: list[type[Settings]] = [
        CommandSettings,
        *(settings_class(owner) for owner in ("gateway", *SERVICES)),
    ]
    for cls in classes:
        for name, field in cls.model_fields.items():
            assert f"`GUILDHALL_{name.upper()}`" in text, (cls, name)
            assert field.description, (cls, name)
