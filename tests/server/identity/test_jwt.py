"""Tokens that somebody else signed: what is taken, and that nothing else is."""

import base64
import hashlib
import hmac
import json
import math
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from headway.core.policy import Principal, Role
from headway.server.identity.grants import Grants
from headway.server.identity.identities import Identities
from headway.server.identity.jwt import LEEWAY, Key, KeyFileError, Keys
from tests.server.identity.support import NOW, FakeClock

PRIVATE: dict[str, Any] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65537, 2048),
}
STRANGER: dict[str, Any] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65537, 2048),
}
CLAIMS = {"userID": 7, "role": "reader", "exp": NOW + 60}


def pem(private: Any) -> bytes:
    encoded: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def written(tmp_path: Path, content: bytes | str | dict[str, Any], name: str = "key") -> Path:
    path = tmp_path / name
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def jwk(algorithm: str, private: Any = None, **members: Any) -> dict[str, Any]:
    to_jwk = OKPAlgorithm.to_jwk if algorithm == "EdDSA" else RSAAlgorithm.to_jwk
    entry: dict[str, Any] = json.loads(to_jwk((private or PRIVATE[algorithm]).public_key()))
    entry.pop("key_ops", None)
    return entry | members


def signed(claims: dict[str, Any], algorithm: str = "EdDSA", **header: Any) -> str:
    return jwt.encode(claims, PRIVATE[algorithm], algorithm, headers=header)


@pytest.fixture(params=["EdDSA", "RS256"])
def algorithm(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.load([written(tmp_path, pem(PRIVATE[name]), name) for name in PRIVATE])


def test_a_signed_token_opens_what_its_claims_say_until_it_expires(keys: Keys, algorithm: str) -> None:
    grant = keys.grant(signed(CLAIMS, algorithm), NOW)
    assert grant is not None
    assert (grant.principal, grant.expires_at) == (Principal(7, Role.READER), NOW + 60)
    assert grant.valid(NOW + 59.9)
    assert not grant.valid(NOW + 60)


@pytest.mark.parametrize(
    ("claims", "principal"),
    [
        ({"sub": "7"}, Principal(7)),
        ({"sub": 7}, Principal(7)),
        ({"userID": 7, "sub": "auth0|anna"}, Principal(7)),
        ({"userID": "7", "sub": "8"}, Principal(7)),
        ({"sub": "1", "role": "admin"}, Principal(1, Role.ADMIN)),
        ({"sub": str(2**63 - 1)}, Principal(2**63 - 1)),
    ],
)
def test_who_the_claims_name(keys: Keys, claims: dict[str, Any], principal: Principal) -> None:
    grant = keys.grant(signed(claims | {"exp": NOW + 1}), NOW)
    assert grant is not None
    assert grant.principal == principal


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": "anna"},
        {"sub": ""},
        {"sub": "0"},
        {"sub": "-1"},
        {"sub": "٣"},
        {"sub": " 7"},
        {"sub": "9" * 19},
        {"sub": "9" * 5000},
        {"sub": True},
        {"sub": 7.0},
        {"sub": [7]},
        {"userID": 0},
        {"userID": -7},
        {"userID": 2**63},
        {"userID": None, "sub": "7"},
        {"sub": "7", "role": "owner"},
        {"sub": "7", "role": ""},
        {"sub": "7", "role": None},
        {"sub": "7", "role": ["admin"]},
        {"sub": "7", "exp": None},
        {"sub": "7", "exp": NOW},
        {"sub": "7", "exp": "soon"},
        {"sub": "7", "exp": str(NOW + 60)},
        {"sub": "7", "exp": True},
        {"sub": "7", "exp": math.inf},
        {"sub": "7", "exp": math.nan},
        {"sub": "7", "exp": 10**400},
        {"sub": "7", "nbf": NOW + LEEWAY + 1},
        {"sub": "7", "nbf": "now"},
        {"sub": "7", "nbf": -math.inf},
        {"sub": "7", "jti": 7},
    ],
)
def test_claims_that_open_nothing(keys: Keys, claims: dict[str, Any]) -> None:
    assert keys.grant(signed({"exp": NOW + 60} | claims), NOW) is None


def test_expiry_is_required(keys: Keys) -> None:
    assert keys.grant(signed({"sub": "7"}), NOW) is None


def test_an_issuer_whose_clock_is_a_little_ahead_is_trusted(keys: Keys) -> None:
    assert keys.grant(signed(CLAIMS | {"nbf": NOW + LEEWAY, "iat": NOW + LEEWAY}), NOW) is not None


def test_a_stranger_s_signature_opens_nothing(keys: Keys, algorithm: str) -> None:
    forged = jwt.encode(CLAIMS, STRANGER[algorithm], algorithm)
    assert keys.grant(forged, NOW) is None


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("none", ["none", "None", "NONE", "", None])
def test_no_signature_opens_nothing(keys: Keys, none: str | None) -> None:
    signature = signed(CLAIMS).rpartition(".")[2]
    body = f"{segment({'alg': none, 'typ': 'JWT'})}.{segment(CLAIMS)}"
    assert keys.grant(f"{body}.", NOW) is None
    assert keys.grant(f"{body}.{signature}", NOW) is None


@pytest.mark.parametrize("size", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_shared_secret(keys: Keys, algorithm: str, size: str) -> None:
    body = f"{segment({'alg': size, 'typ': 'JWT'})}.{segment(CLAIMS)}"
    hash_name = size.replace("HS", "sha")
    secret = pem(PRIVATE[algorithm])
    signature = hmac.new(secret, body.encode(), getattr(hashlib, hash_name)).digest()
    encoded = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    # The attack is a real one: who took the key for a secret would find the signature good.
    assert jwt.api_jws.PyJWS().get_algorithm_by_name(size).verify(body.encode(), secret, signature)
    assert keys.grant(f"{body}.{encoded}", NOW) is None


@pytest.mark.parametrize("other", ["RS384", "RS512", "PS256"])
def test_another_algorithm_of_the_same_key_opens_nothing(keys: Keys, other: str) -> None:
    assert keys.grant(jwt.encode(CLAIMS, PRIVATE["RS256"], other), NOW) is None


def test_a_changed_token_opens_nothing(keys: Keys, algorithm: str) -> None:
    header, claims, signature = signed(CLAIMS, algorithm).split(".")
    for changed in (
        f"{header}.{segment(CLAIMS | {'role': 'admin'})}.{signature}",
        f"{header}.{claims}.{signature[:-4]}",
        f"{header}.{claims}",
        f"{header}..{signature}",
        f"{claims}.{header}.{signature}",
    ):
        assert keys.grant(changed, NOW) is None


@given(st.text() | st.from_regex(r"\A[A-Za-z0-9_=.-]*\Z") | st.binary().map(lambda data: data.decode("latin-1")))
def test_garbage_opens_nothing_and_never_raises(token: str) -> None:
    keys = Keys([])
    assert keys.grant(token, NOW) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    ["alg", "kid", "crit", "b64", "typ", "exp", "nbf", "iat", "aud", "iss", "sub", "userID", "role"]
)


@given(header=st.dictionaries(names, json_values), claims=st.dictionaries(names, json_values))
def test_no_header_and_no_claims_ever_raise(header: dict[str, Any], claims: dict[str, Any]) -> None:
    private = PRIVATE["EdDSA"]
    keys = Keys([Key(private.public_key(), "EdDSA")], audience="headway", issuer="https://issuer")
    body = f"{segment({'alg': 'EdDSA'} | header)}.{segment({'userID': 7, 'exp': NOW + 60} | claims)}"
    signature = base64.urlsafe_b64encode(private.sign(body.encode())).rstrip(b"=").decode()
    grant = keys.grant(f"{body}.{signature}", NOW)
    assert grant is None or grant.valid(NOW)


@pytest.mark.parametrize("audience", ["headway", ["other", "headway"]])
def test_audience_and_issuer_are_checked_where_configured(tmp_path: Path, audience: object) -> None:
    keys = Keys.load([written(tmp_path, pem(PRIVATE["EdDSA"]))], audience="headway", issuer="https://issuer")
    good = CLAIMS | {"aud": audience, "iss": "https://issuer"}
    assert keys.grant(signed(good), NOW) is not None
    wrong: list[dict[str, Any]] = [{"aud": "other"}, {"iss": "https://other"}, {"aud": []}, {"aud": ""}]
    for bad in wrong:
        assert keys.grant(signed(good | bad), NOW) is None
    for missing in ("aud", "iss"):
        assert keys.grant(signed({name: good[name] for name in good if name != missing}), NOW) is None


def test_a_token_for_an_audience_is_refused_where_none_is_configured(keys: Keys) -> None:
    assert keys.grant(signed(CLAIMS | {"aud": "another service"}), NOW) is None


def test_a_key_set_is_read_and_its_ids_are_heeded(tmp_path: Path, algorithm: str) -> None:
    entries = [jwk(algorithm, STRANGER[algorithm], kid="old"), jwk(algorithm, kid="new", use="sig", alg=algorithm)]
    keys = Keys.load([written(tmp_path, {"keys": entries})])
    assert keys.grant(signed(CLAIMS, algorithm), NOW) is not None
    assert keys.grant(signed(CLAIMS, algorithm, kid="new"), NOW) is not None
    assert keys.grant(signed(CLAIMS, algorithm, kid="old"), NOW) is None
    assert keys.grant(signed(CLAIMS, algorithm, kid="unknown"), NOW) is None


def test_a_key_without_id_is_tried_for_any(keys: Keys) -> None:
    assert keys.grant(signed(CLAIMS, kid="whatever"), NOW) is not None


def test_keys_of_no_use_in_a_set_are_passed_over(tmp_path: Path) -> None:
    entries = [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "x": "", "y": ""},
        {"kty": "OKP", "crv": "X25519", "x": ""},
        {"kty": "new"},
        {},
        jwk("RS256", alg="RS512"),
        jwk("RS256", use="enc"),
        jwk("EdDSA"),
    ]
    keys = Keys.load([written(tmp_path, {"keys": entries})])
    assert repr(keys) == "<Keys: EdDSA>"
    assert keys.grant(signed(CLAIMS), NOW) is not None


def private_pem(private: Any) -> bytes:
    encoded: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return encoded


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "one PEM public key, or a JWK set"),
        (b"ssh-ed25519 AAAA", "one PEM public key, or a JWK set"),
        (b"-----BEGIN PUBLIC KEY-----\nrubbish\n-----END PUBLIC KEY-----\n", "cannot use the key file"),
        (pem(PRIVATE["EdDSA"]) + pem(PRIVATE["RS256"]), "one PEM public key"),
        (private_pem(PRIVATE["EdDSA"]), "private key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "only Ed25519 and RSA"),
        (pem(ed448.Ed448PrivateKey.generate()), "only Ed25519 and RSA"),
        (pem(rsa.generate_private_key(65537, 1024)), "2048 bits, this one has 1024"),
        (b"{", "cannot use the key file"),
        (b"{}", 'list of "keys"'),
        (b'{"keys":{}}', 'list of "keys"'),
        (b'{"keys":[7]}', 'list of "keys"'),
        (b'{"keys":[]}', "no key for EdDSA"),
        (b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', "no key for EdDSA"),
        (b'{"keys":[{"kty":"OKP","crv":"Ed25519"}]}', "cannot use the key file"),
        (b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}', "cannot use the key file"),
        (b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":7}]}', "cannot use the key file"),
        (b'{"keys":[{"kty":"RSA"}]}', "cannot use the key file"),
        (b'{"keys":[{"kty":"RSA","n":"AA","e":7}]}', "cannot use the key file"),
        (b'{"keys":[{"kty":"RSA","n":"","e":""}]}', "cannot use the key file"),
        (json.dumps({"keys": [jwk("EdDSA", kid=7)]}).encode(), "kid must be a string"),
        (json.dumps({"keys": [jwk("EdDSA", d="AA")]}).encode(), "private key"),
    ],
)
def test_a_key_file_of_no_use_stops_the_start_and_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(KeyFileError) as caught:
        Keys.load([path])
    assert str(path) in caught.value.message
    assert reason in caught.value.message


def test_a_missing_key_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        Keys.load([tmp_path / "missing"])


def test_a_server_takes_signed_tokens_beside_its_own(tmp_path: Path, keys: Keys) -> None:
    clock = FakeClock(NOW)
    grants = Grants(clock)
    identities = Identities.open(tmp_path / "data", grants, clock, keys)
    try:
        grant = identities.authenticate(signed(CLAIMS), NOW)
        assert grant is not None
        assert grant.principal == Principal(7, Role.READER)
        assert identities.authenticate(signed(CLAIMS), NOW + 60) is None
        cut: list[float] = []
        grants.watch(grant, lambda: cut.append(clock.time))
        for clock.time in (NOW + 59, NOW + 60):
            grants.sweep()
        assert cut == [NOW + 60]
    finally:
        identities.close()


def test_without_keys_no_signed_token_is_taken(tmp_path: Path) -> None:
    clock = FakeClock(NOW)
    identities = Identities.open(tmp_path / "data", Grants(clock), clock)
    try:
        assert identities.authenticate(signed(CLAIMS), NOW) is None
    finally:
        identities.close()
