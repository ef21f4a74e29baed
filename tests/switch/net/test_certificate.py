"""What is read of a certificate on disk, expired ones included."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from switch.net.certificate import read_certificate

LONG_AGO = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
YEARS_ON = datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def issue(
    authority: trustme.CA, directory: Path, *names: str, until: datetime = YEARS_ON
) -> tuple[Path, Path]:
    issued = authority.issue_cert(*names, not_after=until)
    certificate, key = directory / f"{names[0]}.pem", directory / f"{names[0]}.key"
    for index, blob in enumerate((*issued.cert_chain_pems, authority.cert_pem)):
        blob.write_to_path(str(certificate), append=index > 0)
    issued.private_key_pem.write_to_path(str(key))
    return certificate, key


@pytest.mark.parametrize("until", [YEARS_ON, LONG_AGO])
def test_dates_and_names(authority: trustme.CA, tmp_path: Path, until: datetime) -> None:
    certificate, key = issue(authority, tmp_path, "voice.example", "192.0.2.1", "2001:db8::1", until=until)
    facts = read_certificate(certificate, key, None)
    assert facts.trouble == ""
    assert facts.from_s < LONG_AGO.timestamp()
    assert facts.until_s == until.timestamp()
    assert facts.names == (
        ("DNS", "voice.example"),
        ("IP Address", "192.0.2.1"),
        ("IP Address", "2001:db8::1"),
    )


def test_the_key_of_another_one(authority: trustme.CA, tmp_path: Path) -> None:
    certificate, _ = issue(authority, tmp_path, "voice.example")
    _, key = issue(authority, tmp_path, "other.example")
    trouble = read_certificate(certificate, key, None).trouble
    assert trouble == f"{certificate} and {key} are no certificate with its key"


def test_files_that_are_not_there_or_hold_nothing(authority: trustme.CA, tmp_path: Path) -> None:
    certificate, key = issue(authority, tmp_path, "voice.example")
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.touch()
    assert "missing.pem cannot be read" in read_certificate(missing, key, None).trouble
    assert "empty.pem holds no certificates" in read_certificate(certificate, key, empty).trouble


def test_one_that_proves_no_server(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = issue(authority, tmp_path, "voice.example")

    def refuse(*_: object) -> None:
        raise ssl.SSLCertVerificationError(1, "unsuitable certificate purpose")

    monkeypatch.setattr(ssl.SSLObject, "do_handshake", refuse)
    trouble = read_certificate(certificate, key, None).trouble
    assert trouble.startswith(f"{certificate} is no certificate for a server: ")
