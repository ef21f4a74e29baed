"""Certificates: what we show over TLS and whom we believe (RFC 3261 section 26.3.1), TLS 1.2 at least.

The contexts live as long as the switch. Loading again changes what later connections get.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any


class TlsError(Exception):
    """A certificate or key cannot be used; says which file and why, never what is in it."""


class Certificates:
    """The two contexts: `server` for who connects to us, `client` for those we connect to."""

    def __init__(self, certificate: Path, key: Path, trust: Path | None, *, asks: bool = False) -> None:
        """With `asks` whoever connects may show a certificate, and `proves` says whose it is.

        Raises:
            TlsError: a file is missing or unusable.
        """
        self._check(certificate, key, trust)
        self._asks = asks
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for context in (self.server, self.client):
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        if asks:
            self.server.verify_mode = ssl.CERT_OPTIONAL
        self._load(certificate, key, trust)

    def load(self, certificate: Path, key: Path, trust: Path | None) -> None:
        """Take over what the files hold now.

        Raises:
            TlsError: a file is missing or unusable; then all stays as it was.
        """
        self._check(certificate, key, trust)
        self._load(certificate, key, trust)

    def _load(self, certificate: Path, key: Path, trust: Path | None) -> None:
        for context in (self.server, self.client):
            context.load_cert_chain(certificate, key)
        for context in (self.client, self.server) if self._asks else (self.client,):
            if trust is None:
                context.load_default_certs(ssl.Purpose.SERVER_AUTH)
            else:
                context.load_verify_locations(trust)

    @staticmethod
    def _check(certificate: Path, key: Path, trust: Path | None) -> None:
        """Try everything on a context of its own, so that a bad file leaves the used ones alone."""
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for path in filter(None, (certificate, key, trust)):
            try:
                path.read_bytes()
            except OSError as error:
                raise TlsError(f"{path} cannot be read: {error.strerror}") from error
        try:
            # A key under a pass phrase would be asked for on the terminal.
            trial.load_cert_chain(certificate, key, password=lambda: b"")
        except (OSError, ValueError) as error:
            raise TlsError(f"{certificate} and {key} are no certificate with its key") from error
        if trust is not None:
            try:
                trial.load_verify_locations(trust)
            except (OSError, ValueError) as error:
                raise TlsError(f"{trust} holds no certificates") from error


def proves(certificate: Mapping[str, Any] | None, name: str) -> bool:
    """Whether a certificate that was verified is that of a host name or address (RFC 5922 section 7.1): one
    of its alternative names is the same, or has `*` in place of the first label (RFC 6125 section 6.4.3)."""
    for kind, shown in (certificate or {}).get("subjectAltName", ()):
        if kind == "DNS" and shown.lower() in (name.lower(), f"*.{name.lower().partition('.')[2]}"):
            return True
        with suppress(ValueError):
            if kind == "IP Address" and ip_address(shown.strip()) == ip_address(name):
                return True
    return False
