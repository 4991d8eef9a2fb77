"""TLS: whether it is spoken, and whether the certificate holds."""

from __future__ import annotations

import socket
import ssl
import time
from typing import NamedTuple

from headway.cli.checks.findings import Finding, fail, ok, quoted, warn
from headway.cli.checks.network import Place, Reached, connected
from headway.cli.failures import UNREACHABLE

EXPIRES_SOON = 14
"""Days before the end of a certificate from which that is worth a word."""

_DAY = 86_400.0
_EXPIRED, _NOT_YET, _WRONG_NAME, _WRONG_ADDRESS = 10, 9, 62, 64
"""Of X509_V_ERR_* in OpenSSL's x509_vfy.h."""

_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")


class Handshake(NamedTuple):
    """What came of one."""

    version: str
    days: float
    """Until the certificate expires."""


def handshake(place: Place, reached: Reached, context: ssl.SSLContext, seconds: float) -> Handshake:
    """Speak TLS with whoever listens. Raises ``OSError``, of which ``ssl.SSLError`` is one."""
    with (
        connected(reached, seconds) as connection,
        context.wrap_socket(connection, server_hostname=place.host) as secure,
    ):
        certificate = secure.getpeercert() or {}
        end = certificate.get("notAfter")
        days = (ssl.cert_time_to_seconds(end) - time.time()) / _DAY if isinstance(end, str) else float("inf")
        return Handshake(secure.version() or "TLS", days)


def speaks_tls(place: Place, reached: Reached, seconds: float) -> bool:
    """True when it does, whoever it says it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        handshake(place, reached, context, seconds)
    except OSError:
        return False
    return True


def secured(result: Handshake) -> Finding:
    """It worked."""
    if result.days < EXPIRES_SOON:
        says = f"{result.version}; the certificate expires in {max(0, int(result.days))} days"
        return warn("tls", says, "renew it on the server")
    return ok("tls", result.version)


def insecure(place: Place, error: OSError) -> Finding:
    """It did not."""
    says, advice = _explained(place, error)
    return fail("tls", says, advice, UNREACHABLE)


def untrusting(error: OSError) -> Finding:
    """There are no certificates to judge others by."""
    says = f"the certificates to trust cannot be read: {quoted(error.strerror or str(error)).lower()}"
    return fail("tls", says, "see to SSL_CERT_FILE and SSL_CERT_DIR", UNREACHABLE)


def _explained(place: Place, error: OSError) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrusted(place, error)
    reason = (error.reason if isinstance(error, ssl.SSLError) else None) or ""
    if reason in _NOT_TLS:
        return "what listens there does not speak TLS", "name it with http:// instead of https://"
    if isinstance(error, TimeoutError | socket.timeout):
        return "no answer to our hello", "it may not speak TLS: try http://"
    if isinstance(error, ConnectionError | ssl.SSLEOFError):
        return "it hung up at our hello", "it may not speak TLS: try http://"
    return f"the handshake failed: {quoted(reason or str(error)).lower().replace('_', ' ')}", "see the server's log"


def _distrusted(place: Place, error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    says = f"the certificate is not to be trusted: {quoted(error.verify_message).rstrip('.').lower()}"
    if error.verify_code == _EXPIRED:
        return says, "renew it on the server; if it is new, see to the clock of this machine"
    if error.verify_code == _NOT_YET:
        return says, "see to the clock of this machine, and of the one that made it"
    if error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
        return says, f"name the server as its certificate does, or give it one for {quoted(place.host)}"
    return says, "if it is yours: SSL_CERT_FILE=FILE names the certificate that signed it, in PEM"
