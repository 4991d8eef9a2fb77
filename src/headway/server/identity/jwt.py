"""Tokens that somebody else signed: JSON Web Tokens (RFC 7519), checked with configured public keys.

Taken are EdDSA (Ed25519) and RS256. Which of them belongs to a key is fixed by the kind of key, never by the token
(RFC 8725, 3.1), so neither ``none`` nor a public key used as an HMAC secret gets anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from headway.core.errors import HeadwayError
from headway.core.policy import TOKEN_ROLES, Principal, Role
from headway.server.identity.grants import Grant

LEEWAY = 5.0
"""Seconds that the issuer's clock may be ahead of ours. ``exp`` has none: requests and streams end by it alike."""

MIN_RSA_BITS = 2048
"""NIST SP 800-131A."""

MAX_USER = 2**63 - 1

PublicKey = Ed25519PublicKey | RSAPublicKey


class KeyFileError(HeadwayError):
    """A key file cannot be used; the message says which and why."""

    code = "key_file"


class Key(msgspec.Struct, frozen=True):
    """One public key with the only algorithm it is used for."""

    public: PublicKey
    algorithm: str
    id: str | None = None
    """``kid``; a token that names one is only tried with keys of that id, or of none."""


class Keys:
    """The keys whose tokens are accepted.

    Claims: ``exp``, required; ``userID``, else ``sub``: the user, a positive integer (``sub`` as digits); ``role``,
    else ``user``; ``nbf``. ``aud`` and ``iss`` must be the configured ones; a token made for an audience is
    refused where none is configured.
    """

    def __init__(self, keys: Sequence[Key], *, audience: str | None = None, issuer: str | None = None) -> None:
        self._keys = tuple(keys)
        self._audience = audience
        self._issuer = issuer

    @classmethod
    def load(cls, files: Iterable[Path], *, audience: str | None = None, issuer: str | None = None) -> Keys:
        """Read PEM public keys and JWK sets. Raises ``KeyFileError``."""
        return cls([key for file in files for key in _read(file)], audience=audience, issuer=issuer)

    def __repr__(self) -> str:
        return f"<Keys: {', '.join(key.algorithm for key in self._keys)}>"

    def grant(self, token: str, now: float) -> Grant | None:
        """What a token gives until its ``exp``; None for whatever is wrong with it."""
        claims = self._verified(token)
        return None if claims is None else _grant(claims, now)

    def _verified(self, token: str) -> Mapping[str, Any] | None:
        # Only the times are left to us: PyJWT would look at a clock of its own.
        options: Any = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_sub"), False)
        try:
            named = jwt.get_unverified_header(token).get("kid")
        except (jwt.PyJWTError, ValueError):
            return None
        for key in self._keys:
            if named is not None and key.id is not None and named != key.id:
                continue
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token,
                    key.public,
                    algorithms=[key.algorithm],
                    audience=self._audience,
                    issuer=self._issuer,
                    options=options,
                )
                return claims
            except (jwt.PyJWTError, ValueError):
                continue
        return None


def _grant(claims: Mapping[str, Any], now: float) -> Grant | None:
    user = _user(claims.get("userID", claims.get("sub")))
    role = claims.get("role", Role.USER.value)
    expires_at = _moment(claims.get("exp"))
    not_before = _moment(claims.get("nbf", 0))
    if user is None or role not in TOKEN_ROLES or expires_at is None or not_before is None:
        return None
    grant = Grant(Principal(user, Role(role)), expires_at=expires_at)
    return grant if grant.valid(now) and not_before <= now + LEEWAY else None


def _user(claim: object) -> int | None:
    if isinstance(claim, str) and claim.isascii() and claim.isdigit() and len(claim) < 20:
        claim = int(claim)
    # A bool is an int to Python.
    return claim if type(claim) is int and 0 < claim <= MAX_USER else None


def _moment(claim: object) -> float | None:
    """A NumericDate. Python's JSON knows Infinity, which would never expire, and integers too large for a float."""
    if isinstance(claim, bool) or not isinstance(claim, int | float) or not abs(claim) < 1e15:
        return None
    return float(claim)


def _read(file: Path) -> list[Key]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise KeyFileError(f"cannot read the key file {file}: {error.strerror}") from error
    try:
        return _from_jwks(content) if content.lstrip().startswith(b"{") else [_from_pem(content)]
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm, jwt.PyJWTError) as error:
        raise KeyFileError(f"cannot use the key file {file}: {error}") from error


def _from_pem(content: bytes) -> Key:
    if b"PRIVATE KEY-----" in content:
        raise ValueError("it holds a private key; the server needs the public one only")
    if content.count(b"-----BEGIN ") != 1:
        raise ValueError("it must hold one PEM public key, or a JWK set")
    return _key(load_pem_public_key(content))


_ALGORITHMS = {"OKP": "EdDSA", "RSA": "RS256"}


def _from_jwks(content: bytes) -> list[Key]:
    """Those keys of a set (RFC 7517) that are of use here; a set may well hold others too."""
    entries = msgspec.json.decode(content, type=dict[str, Any]).get("keys")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError('a JWK set is an object with a list of "keys"')
    keys = [_from_jwk(entry) for entry in entries if _of_use(entry)]
    if not keys:
        raise ValueError("it holds no key for EdDSA (Ed25519) or RS256")
    return keys


def _of_use(entry: Mapping[str, Any]) -> bool:
    algorithm = _ALGORITHMS.get(str(entry.get("kty")))
    if algorithm is None or (algorithm == "EdDSA" and entry.get("crv") != "Ed25519"):
        return False
    return (entry.get("alg", algorithm), entry.get("use", "sig")) == (algorithm, "sig")


def _from_jwk(entry: dict[str, Any]) -> Key:
    if "d" in entry:
        raise ValueError("it holds a private key; the server needs the public one only")
    id = entry.get("kid")
    if id is not None and not isinstance(id, str):
        raise ValueError("a kid must be a string")
    return _key(jwt.PyJWK(entry, _ALGORITHMS[entry["kty"]]).key, id)


def _key(public: object, id: str | None = None) -> Key:
    if isinstance(public, Ed25519PublicKey):
        return Key(public, "EdDSA", id)
    if not isinstance(public, RSAPublicKey):
        raise ValueError("only Ed25519 and RSA keys are supported")
    if public.key_size < MIN_RSA_BITS:
        raise ValueError(f"an RSA key needs {MIN_RSA_BITS} bits, this one has {public.key_size}")
    return Key(public, "RS256", id)
