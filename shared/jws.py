"""Signing for tokens: PyJWT writes the compact form, PyNaCl signs (RFC 7515, RFC 8037)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from jwt.algorithms import Algorithm
from jwt.api_jws import PyJWS

from shared.tokens import ALGORITHM, SigningKey


class _EdDSA(Algorithm):
    def prepare_key(self, key: Any) -> Any:
        if not isinstance(key, SigningKey):
            raise TypeError("a SigningKey is needed")
        return key

    def sign(self, msg: bytes, key: Any) -> bytes:
        signature: bytes = key.sign(msg)
        return signature

    def verify(self, msg: bytes, key: Any, sig: bytes) -> NoReturn:
        raise NotImplementedError("VerifyKey.verify reads signatures")

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: bool = False) -> NoReturn:
        raise NotImplementedError("VerifyKey.to_jwk writes keys")

    @staticmethod
    def from_jwk(jwk: Any) -> NoReturn:
        raise NotImplementedError("read_jwks reads keys")


_JWS: Final = PyJWS(algorithms=[])
_JWS.register_algorithm(ALGORITHM, _EdDSA())


def encode(payload: bytes, key: SigningKey, headers: Mapping[str, str]) -> str:
    """Sign a payload and give the compact form."""
    # PyJWT hands the key on to our algorithm, and types it for those that it brings itself.
    return _JWS.encode(payload, cast(Any, key), algorithm=ALGORITHM, headers=dict(headers))
