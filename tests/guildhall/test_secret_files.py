from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guildhall.secret_files import SecretMissing, load_or_make
from guildhall.settings import CommandSettings
from shared.secret import decode_base64url, encode_base64url


def settings(data_dir: Path, **values: Any) -> CommandSettings:
    given = {f"GUILDHALL_{name.upper()}": value for name, value in values.items()}
    return CommandSettings.model_validate({"GUILDHALL_DATA_DIR": data_dir, **given})


def test_secrets_are_made_once_and_kept_closed(tmp_path: Path) -> None:
    first = load_or_make(settings(tmp_path))
    assert first.made == {"root_secret", "signing_keys", "service_admin_password"}
    assert len(first.root) == 32
    assert len(decode_base64url(first.signing_keys)) == 32
    folder = tmp_path / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}

    again = load_or_make(settings(tmp_path))
    assert again.made == frozenset()
    assert (again.root, again.signing_keys) == (first.root, first.signing_keys)
    assert again.service_admin_password == first.service_admin_password


def test_two_installations_have_nothing_in_common(tmp_path: Path) -> None:
    one, two = load_or_make(settings(tmp_path / "1")), load_or_make(settings(tmp_path / "2"))
    assert one.root != two.root
    assert one.signing_keys != two.signing_keys
    assert one.service_admin_password != two.service_admin_password


def test_what_the_environment_gives_wins_and_is_not_written_down(tmp_path: Path) -> None:
    root = bytes(range(32))
    given = settings(
        tmp_path,
        root_secret=encode_base64url(root),
        signing_keys="seeds",
        service_admin_password="word",
    )
    secrets = load_or_make(given)
    assert (secrets.root, secrets.signing_keys) == (root, "seeds")
    assert secrets.service_admin_password == "word"
    assert secrets.made == frozenset()
    assert not (tmp_path / "secrets").exists()


def test_production_makes_nothing_up(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing, match="GUILDHALL_ROOT_SECRET"):
        load_or_make(settings(tmp_path, profile="production"))
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize("content", ["", "\n", "not base64url!"])
def test_a_damaged_file_is_named_and_not_replaced(tmp_path: Path, content: str) -> None:
    load_or_make(settings(tmp_path))
    path = tmp_path / "secrets" / "root_secret"
    path.write_text(content)
    with pytest.raises(SecretMissing, match=str(path)):
        load_or_make(settings(tmp_path))
    assert path.read_text() == content


def test_the_secrets_do_not_show_in_a_traceback(tmp_path: Path) -> None:
    secrets = load_or_make(settings(tmp_path))
    assert secrets.service_admin_password not in repr(secrets)
    assert secrets.signing_keys not in repr(secrets)
