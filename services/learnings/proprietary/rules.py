"""Decisions about licenses that need no database."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from pydantic import ValidationError

from services.learnings.files.models import Described
from services.learnings.proprietary.models import Named, Package, PackageAnswer
from shared.errors import Fault, Forbidden, Invalid, NotFound
from shared.principal import Principal
from shared.secret import encode_base64url

PREFIX: Final = "trw_lic_"


def org_of(principal: Principal) -> str:
    """Say whose license this is.

    Raises:
        Forbidden: the caller acts in no organization.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    return principal.org


def require_platform_admin(principal: Principal) -> None:
    """Check that the caller acts for the whole installation.

    Raises:
        Forbidden: they do not.
    """
    if not principal.is_platform_admin:
        raise Forbidden("Admin role required")


def new_license() -> str:
    """Make a license key: 32 random bytes."""
    return PREFIX + encode_base64url(secrets.token_bytes(32))


def digest_of(license_key: str) -> bytes:
    """Give what a key is found by; of 32 random bytes it tells nothing."""
    return hashlib.sha256(license_key.encode(errors="surrogatepass")).digest()


def named(package: str, version: str) -> Named:
    """Check the path of a package.

    Raises:
        Invalid: a name has odd characters.
    """
    try:
        return Named(package=package, version=version)
    except ValidationError as error:
        raise Invalid(
            [Fault(("path", *item["loc"]), item["msg"], item["type"]) for item in error.errors()]
        ) from None


def not_licensed() -> NotFound:
    """Make the error for an organization that was granted nothing."""
    return NotFound(
        "Your organization has no license for proprietary packages",
        extra={"error": "no_license"},
    )


def not_entitled() -> Forbidden:
    """Make the error for a key that does not open a package; which of both is wrong, it hides."""
    return Forbidden(
        "This license key is not valid for this package", extra={"error": "not_entitled"}
    )


def unknown_version() -> NotFound:
    """Make the error for a version that was not uploaded."""
    return NotFound("There is no such version of this package", extra={"error": "unknown_version"})


def answer_of(package: Package) -> PackageAnswer:
    """Show an uploaded package."""
    return PackageAnswer(
        package=package.package,
        version=package.version,
        sha256=package.sha256,
        size_bytes=package.size_bytes,
    )


def described(package: Package) -> Described:
    """Describe a package for its download."""
    name = f"{package.package}-{package.version}"
    return Described(package.size_bytes, package.sha256, name)
