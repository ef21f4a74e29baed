"""What the certificate on disk says, by showing it to ourselves in memory.

The standard library tells the contents of a certificate only once it has been believed. So we believe this
one for itself, whatever the date: a certificate that has expired is to be read as well.
"""

from __future__ import annotations

import contextlib
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from switch.doctor.trust import CertificateFacts
from switch.net.tls import Certificates, TlsError

NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL (X509_VERIFY_PARAM_set_flags(3)); not in the ssl module."""

FLIGHTS = 4
"""Each side of a handshake speaks twice at most; TLS 1.3 has tickets after it."""


def read_certificate(certificate: Path, key: Path, trust: Path | None) -> CertificateFacts:
    """Dates and names of a certificate, or why it cannot be used with its key."""
    try:
        Certificates(certificate, key, trust)
        said = _shown(certificate, key)
    except TlsError as error:
        return CertificateFacts(trouble=str(error))
    except (OSError, ValueError) as error:
        reason = getattr(error, "verify_message", "") or str(error)
        return CertificateFacts(trouble=f"{certificate} is no certificate for a server: {reason}")
    names = tuple((kind, _spelled(kind, name)) for kind, name in said.get("subjectAltName", ()))
    return CertificateFacts(
        from_s=int(ssl.cert_time_to_seconds(said["notBefore"])),
        until_s=int(ssl.cert_time_to_seconds(said["notAfter"])),
        names=names,
    )


def _spelled(kind: str, name: str) -> str:
    """An address as it is configured; OpenSSL writes IPv6 in full."""
    return str(ip_address(name)) if kind == "IP Address" else name


def _shown(certificate: Path, key: Path) -> dict[str, Any]:
    """What a client reads of it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= NO_CHECK_TIME | ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    reader = client.wrap_bio(down, up)
    shower = server.wrap_bio(up, down, server_side=True)
    for _ in range(FLIGHTS):
        for side in (reader, shower):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return dict(reader.getpeercert() or {})
